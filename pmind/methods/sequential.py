"""sequential: one question at a time, no history, the context read anew for each."""

from pmind.decoding.branches import GroupRequest


def split(request: GroupRequest, branches: int) -> list[GroupRequest]:
    """One pass a question, each as branch 1."""
    return [GroupRequest(request.context, (prompt,)) for prompt in request.prompts]


def rows(branches: int, max_groups: int) -> int:
    """One at a time."""
    return 1
