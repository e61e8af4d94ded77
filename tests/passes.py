"""The ways in which prompts run through a local model, on token ids: what equivalence is tested on."""

from collections.abc import Sequence

from pmind.decoding.branches import GroupRequest
from pmind.decoding.decoder import Answer, ParallelDecoder
from pmind.decoding.engine import DecodeStats
from pmind.decoding.options import GenerationOptions
from pmind.methods import batch, parallel, sequential, sequential_cached
from pmind.methods.passes import Passes

PASSES: dict[str, Passes] = {
    "parallel": parallel,
    "sequential": sequential,
    "sequential_cached": sequential_cached,
    "batch": batch,
}


def answer_groups(
    decoder: ParallelDecoder,
    how: Passes,
    requests: Sequence[GroupRequest],
    options: GenerationOptions,
    *,
    branches: int = 8,
    max_groups: int = 1,
    stats: DecodeStats | None = None,
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
    )
    waiting = iter(answers)
    return [[answer for _ in split for answer in next(waiting)] for split in passes]
