"""batch: all questions at once along the batch axis, the context repeated in every row."""

from pmind.decoding.branches import GroupRequest


def split(request: GroupRequest, branches: int) -> list[GroupRequest]:
    """One row a question, each as branch 1 beside its own copy of the context."""
    return [GroupRequest(request.context, (prompt,)) for prompt in request.prompts]


def rows(branches: int, max_groups: int) -> int:
    """As many questions side by side as may be decoded together."""
    return branches
