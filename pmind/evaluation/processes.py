"""Questions shared out among processes: each rank answers some groups, rank 0 has all the rows.

Started by ``torchrun`` or ``accelerate launch``, on one machine or several; alone, a process does
all of the work itself.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch.distributed as dist

Item = TypeVar("Item")


@dataclass(frozen=True)
class Processes:
    """This process among those that share the work."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this one collects and writes."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """Every COUNT-th item: what this process works on."""
        return list(items[self.rank :: self.count])

    def collect(self, results: Sequence[Item]) -> list[Item] | None:
        """All processes' results in the order of the items that :meth:`share` dealt out; on rank 0 only."""
        if self.count == 1:
            return list(results)
        parts: list[Sequence[Item]] | None = [()] * self.count if self.first else None
        dist.gather_object(list(results), parts)
        if parts is None:
            return None
        return [parts[index % self.count][index // self.count] for index in range(sum(map(len, parts)))]

    def agree(self, decide: Callable[[], Item]) -> Item:
        """What rank 0 decides, on every rank."""
        decided = [decide() if self.first else None]
        if self.count > 1:
            dist.broadcast_object_list(decided)
        return decided[0]

    def wait(self) -> None:
        """Until all are here."""
        if self.count > 1:
            dist.barrier()


@contextmanager
def join_processes() -> Iterator[Processes]:
    """Join the processes that a launcher started, for as long as the block runs."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1:
        yield Processes()
        return
    dist.init_process_group("gloo")  # rows are Python objects: no tensor goes through it
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
