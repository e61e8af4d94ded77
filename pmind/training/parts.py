"""A step's samples become parts, one forward pass each, shared out among processes.

Gradients are summed over all labels of a step, so neither the cut nor the number of processes
changes the result, only its rounding::

    samples of a step -> parts of at most part_tokens -> each process its own, equally many
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pmind.params import Padding
from pmind.training.batches import Sample, split_by_length


@dataclass(frozen=True)
class Part:
    """Samples that are padded together.

    Attributes:
        samples: at least one.
        rows: the least rows of its batch.
        columns: the least columns of its batch.
        weight: 0 for a part that only keeps a process in step with the others.
    """

    samples: Sequence[Sample]
    rows: int = 0
    columns: int = 0
    weight: float = 1.0

    @property
    def size(self) -> int:
        """Tokens of its batch, padding included."""
        return max(self.rows, len(self.samples)) * max(self.columns, *map(len, self.samples))


def cut_into_parts(samples: Sequence[Sample], part_tokens: int, padding: Padding, opening: int = 0) -> list[Part]:
    """Parts of at most ``part_tokens`` tokens, padding included; a longer sample has a part of its own.

    Args:
        samples: of one step.
        part_tokens: the most tokens of a part.
        padding: ``bucket`` puts samples of like length side by side; ``step`` pads them all to the
            longest; ``fixed`` fills every part up to ``part_tokens``, in rows of that length or of
            a half, a quarter, ... of it, the least that holds the longest sample: a run then has
            one shape as long as its steps' longest samples are alike.
        opening: special tokens that the collator adds to each sample.

    Example:
        >>> samples = [Sample([1] * length, [[2]], [[3]], [True]) for length in (48, 28, 8)]
        >>> for padding in ("bucket", "step", "fixed"):
        ...     [([len(s) for s in p.samples], p.rows, p.columns) for p in cut_into_parts(samples, 128, padding)]
        [([50, 30], 0, 0), ([10], 0, 0)]
        [([50, 30], 0, 50), ([10], 0, 50)]
        [([50, 30], 2, 64), ([10], 2, 64)]
    """
    if padding == "bucket":
        return [Part(part) for part in split_by_length(samples, part_tokens, opening)]
    ordered = sorted(samples, key=len, reverse=True)
    columns = len(ordered[0]) + opening
    if padding == "fixed":
        columns = _fixed_columns(columns, part_tokens)
    most = max(1, part_tokens // columns)
    rows = most if padding == "fixed" else 0
    return [Part(ordered[first : first + most], rows, columns) for first in range(0, len(ordered), most)]


def share_parts(parts: Sequence[Part], rank: int, count: int) -> list[Part]:
    """The parts of one process among ``count``: as many for each, of nearly equal load.

    Large parts are halved until all processes have as many; where there are too few samples for
    that, the smallest part is repeated with weight 0, since every process must take part in every
    exchange of gradients.

    Example:
        >>> parts = [Part([Sample([1] * length, [[2]], [[3]], [True])]) for length in (40, 30, 20)]
        >>> for rank in (0, 1):
        ...     [(part.size, part.weight) for part in share_parts(parts, rank, 2)]
        [(42, 1.0), (22, 0.0)]
        [(32, 1.0), (22, 1.0)]
    """
    if count == 1:
        return list(parts)
    even = _even(parts, count)
    even += [replace(even[-1], weight=0.0)] * (-len(even) % count)
    rounds = [even[first : first + count] for first in range(0, len(even), count)]
    return [alike[rank] if index % 2 == 0 else alike[count - 1 - rank] for index, alike in enumerate(rounds)]


def _fixed_columns(longest: int, part_tokens: int) -> int:
    columns = max(part_tokens, longest)
    while columns % 2 == 0 and columns // 2 >= longest:
        columns //= 2
    return columns


def _even(parts: Sequence[Part], count: int) -> list[Part]:
    """The parts from large to small, the largest halved until ``count`` divides their number, if it can."""
    parts = list(parts)
    while len(parts) % count:
        divisible = [part for part in parts if len(part.samples) > 1]
        if not divisible:
            break
        largest = max(divisible, key=lambda part: part.size)
        half = (len(largest.samples) + 1) // 2
        parts = [part for part in parts if part is not largest]
        parts += [replace(largest, samples=part) for part in (largest.samples[:half], largest.samples[half:])]
    return sorted(parts, key=lambda part: part.size, reverse=True)
