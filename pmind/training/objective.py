"""What a stage trains on: a function from the step to that step's batches."""

import random
from collections.abc import Callable

from pmind.training.batches import Collator, Sample, TrainingBatch, split_by_length

Objective = Callable[[int], list[TrainingBatch]]

PART_TOKENS = 4096  # tokens a forward pass; with tiny models on a CPU more is slower, as it leaves the cache


def make_objective(
    draw: Callable[[random.Random], Sample], collate: Collator, *, name: str, seed: int, batch_size: int
) -> Objective:
    """Make a function that gives the batches of a step, the same ones whenever it is asked.

    Args:
        draw: makes one sample out of a random stream.
        collate: lays samples out.
        name: of the stage, so that two stages with one seed draw different samples.
        seed: of the run.
        batch_size: samples a step.
    """

    def batches(step: int) -> list[TrainingBatch]:
        rng = random.Random(f"{name}/{seed}/{step}")
        parts = split_by_length([draw(rng) for _ in range(batch_size)], PART_TOKENS)
        return [collate(part) for part in parts]

    return batches
