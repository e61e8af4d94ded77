"""How the prompts of a group run through a local model: which share a pass, and which share a context.

All ways work on the same token ids and run through the same engine.
"""

from typing import Protocol

from pmind.decoding.branches import GroupRequest


class Passes(Protocol):
    """A way of running a group.

    Attributes:
        SHARES_CONTEXT: whether passes of one group read its context once for all of them.
        TOGETHER: whether several questions run at a time.
    """

    SHARES_CONTEXT: bool
    TOGETHER: bool

    def split(self, request: GroupRequest, branches: int) -> list[GroupRequest]:
        """The passes that answer REQUEST, in the order of its questions, at most BRANCHES each."""

    def rows(self, branches: int, max_groups: int) -> int:
        """How many of those passes run side by side."""


def one_by_one(request: GroupRequest, branches: int) -> list[GroupRequest]:
    """One pass a question, each as branch 1."""
    return [GroupRequest(request.context, (prompt,), read=request.read) for prompt in request.prompts]
