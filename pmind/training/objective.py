"""What a stage trains on: a function from the step to that step's parts, the same ones whenever it is asked."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset

from pmind.params import TrainingParams
from pmind.training.batches import Collator, Sample, TrainingBatch
from pmind.training.parts import Part, cut_into_parts, share_parts


@dataclass(frozen=True)
class Step:
    """All parts of an optimizer step, not laid out yet.

    Attributes:
        parts: in the order of their passes.
        collate: lays a part's samples out.
    """

    parts: Sequence[Part]
    collate: Callable[[Sequence[Sample]], TrainingBatch]


Objective = Callable[[int], Step]


@dataclass(frozen=True)
class Share:
    """What one process does in a step.

    Attributes:
        batches: its own parts, with their weights: 1, or 0 for one that only keeps it in step.
        label_tokens: of all processes.
        lengths: tokens of every sample of all processes.
    """

    batches: Sequence[tuple[TrainingBatch, float]]
    label_tokens: int
    lengths: Sequence[int]

    def to(self, device: torch.device) -> list[tuple[TrainingBatch, float]]:
        """The batches on a device."""
        return [(batch.to(device), weight) for batch, weight in self.batches]


def make_objective(
    draw: Callable[[random.Random, int], Sequence[Sample]],
    collate: Collator,
    params: TrainingParams,
    *,
    name: str,
    seed: int,
) -> Objective:
    """Make a function that gives the parts of a step.

    Args:
        draw: makes all samples of a step out of a random stream and the step's number, and of
            nothing else; on a GPU it runs in processes of its own, ahead of the steps.
        collate: lays samples out.
        params: how a step is cut into parts, see :func:`pmind.training.parts.cut_into_parts`.
        name: of the stage, so that two stages with one seed draw different samples.
        seed: of the run.
    """

    def step_at(step: int) -> Step:
        samples = draw(random.Random(f"{name}/{seed}/{step}"), step)
        return Step(cut_into_parts(samples, params.part_tokens, params.padding, len(collate.opening)), collate)

    return step_at


def take_share(step: Step, rank: int, count: int) -> Share:
    """Lay out the parts of one process among ``count``, and only those."""
    samples = [sample for part in step.parts for sample in part.samples]
    own = share_parts(step.parts, rank, count)
    return Share(
        [(step.collate(part.samples).padded(part.rows, part.columns), part.weight) for part in own],
        sum(sample.label_tokens for sample in samples),
        [len(sample) + len(step.collate.opening) for sample in samples],
    )


def upcoming_shares(objective: Objective, steps: range, rank: int, count: int, workers: int) -> Iterator[Share]:
    """A process's share of each of STEPS, in order.

    Args:
        objective: gives a step.
        steps: numbers of the steps to come.
        rank: this process.
        count: of processes.
        workers: processes that prepare shares ahead; 0 prepares each when it is asked for.
    """
    apart = torch.Generator()  # what the loader draws for its workers is none of the run's random numbers
    return iter(
        DataLoader(
            _Shares(objective, rank, count),
            batch_size=None,
            sampler=steps,
            num_workers=workers,
            collate_fn=_as_it_is,
            generator=apart,
        )
    )


@dataclass(frozen=True)
class _Shares(Dataset):
    objective: Objective
    rank: int
    count: int

    def __getitem__(self, step: int) -> Share:
        return take_share(self.objective(step), self.rank, self.count)


def _as_it_is(share: Share) -> Share:
    return share
