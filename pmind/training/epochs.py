"""In which order texts are read: epoch by epoch, each in an order of its own, found from a position alone."""

import random
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import lru_cache

Items = Sequence[tuple[int, ...]]  # passages that are read together


class Epochs:
    """An endless sequence: every epoch holds everything once, in another order.

    What stands at a position depends on nothing read before, so that a resumed run goes on exactly.
    """

    def __init__(self, make: Callable[[int], Items]) -> None:
        """Args: make: gives the items of an epoch, at least one."""
        self._make = lru_cache(maxsize=2)(make)  # a step may reach into the next epoch
        self._starts = [0]

    def __getitem__(self, position: int) -> tuple[int, ...]:
        """What is read at a position."""
        epoch = self._epoch(position)
        return self._make(epoch)[position - self._starts[epoch]]

    def _epoch(self, position: int) -> int:
        while self._starts[-1] <= position:
            self._starts.append(self._starts[-1] + len(self._make(len(self._starts) - 1)))
        return bisect_right(self._starts, position) - 1


def shuffled(count: int, seed: str) -> Epochs:
    """Numbers below COUNT one at a time, in an order that depends on the seed and the epoch."""
    return Epochs(lambda epoch: [(number,) for number in _order(count, seed, epoch)])


def packed(lengths: Sequence[int], room: int, seed: str) -> Epochs:
    """As :func:`shuffled`, but numbers that follow each other come together as far as they fit.

    Args:
        lengths: tokens of each text; between two texts comes one more, the stop token.
        room: most tokens together; a longer text is alone.
        seed: of the orders.

    Example:
        >>> epochs = packed([3, 3, 3, 9], 7, "seed")
        >>> [epochs[position] for position in range(3)]
        [(2, 1), (0,), (3,)]
    """
    return Epochs(lambda epoch: _pack(_order(len(lengths), seed, epoch), lengths, room))


def _order(count: int, seed: str, epoch: int) -> list[int]:
    return random.Random(f"{seed}/{epoch}").sample(range(count), count)


def _pack(order: Sequence[int], lengths: Sequence[int], room: int) -> list[tuple[int, ...]]:
    packs: list[list[int]] = []
    left = 0
    for number in order:
        if packs and lengths[number] + 1 <= left:
            packs[-1].append(number)
            left -= lengths[number] + 1
        else:
            packs.append([number])
            left = room - lengths[number]
    return [tuple(pack) for pack in packs]
