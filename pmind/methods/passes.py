"""How the prompts of a group run through a local model: which share a pass, and which share a context.

All ways work on the same token ids and run through the same engine.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from pmind.decoding.branches import GroupRequest
from pmind.decoding.decoder import Answer, ParallelDecoder
from pmind.decoding.engine import ColumnEvent, DecodeStats
from pmind.decoding.options import GenerationOptions


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


def answer_groups(
    decoder: ParallelDecoder,
    how: Passes,
    requests: Sequence[GroupRequest],
    options: GenerationOptions,
    *,
    branches: int = 8,
    max_groups: int = 1,
    stats: DecodeStats | None = None,
    on_event: Callable[[ColumnEvent], None] | None = None,
) -> list[list[Answer]]:
    """Answer every question of every group.

    Args:
        decoder: the model.
        how: to put a group to it.
        requests: one a group.
        options: generation options.
        branches: most questions decoded together.
        max_groups: most groups decoded together, for ways that can.
        stats: filled with times and counts.
        on_event: called with every column; its group counts passes, not REQUESTS.

    Returns:
        Answers of each group in the order of its prompts.
    """
    passes = [how.split(request, branches) for request in requests]
    answers = decoder.generate_groups(
        [single for split in passes for single in split],
        options,
        max_groups=how.rows(branches, max_groups),
        share_contexts=how.SHARES_CONTEXT,
        stats=stats,
        on_event=on_event,
    )
    waiting = iter(answers)
    return [[answer for _ in split for answer in next(waiting)] for split in passes]
