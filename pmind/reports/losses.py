"""Names of validation losses: by number of branches, and by position within a branch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pmind.reports.timings import is_finite

_BRANCHES = re.compile(r"loss\.branches_(\d+)")
_POSITIONS = re.compile(r"loss\.positions_(\d+)_(\d+)\.branches_(\d+)")


@dataclass(frozen=True, order=True)
class Positions:
    """Columns FIRST to LAST of a branch, counted from its first token."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"


def loss_key(branches: int) -> str:
    """Name of the loss at BRANCHES.

    Example:
        >>> loss_key(16)
        'loss.branches_16'
    """
    return f"loss.branches_{branches}"


def by_branches(flat: Mapping[str, object]) -> dict[int, float]:
    """Validation loss in nats per token by number of branches.

    Example:
        >>> by_branches({"loss.branches_16": 1.25, "loss.branches_2": 1.0, "loss.tax": 0.25})
        {2: 1.0, 16: 1.25}
    """
    found = {int(match[1]): flat[key] for key in flat if (match := _BRANCHES.fullmatch(key))}
    return {branches: found[branches] for branches in sorted(found) if is_finite(found[branches])}


def by_positions(flat: Mapping[str, object]) -> dict[Positions, dict[int, float]]:
    """The same of the tokens at some positions of their branch.

    Example:
        >>> by_positions({"loss.positions_0_7.branches_4": 1.5})
        {Positions(first=0, last=7): {4: 1.5}}
    """
    found: dict[Positions, dict[int, float]] = {}
    for key, value in flat.items():
        if (match := _POSITIONS.fullmatch(key)) and is_finite(value):
            first, last, branches = map(int, match.groups())
            found.setdefault(Positions(first, last), {})[branches] = value
    return {positions: dict(sorted(found[positions].items())) for positions in sorted(found)}
