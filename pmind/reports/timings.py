"""Benchmark rows by method and number of branches, and what follows from two of them."""

import math
import re
from collections.abc import Collection, Mapping

METHODS = (
    "parallel",
    "parallel_columnar",
    "sequential",
    "sequential_cached",
    "batch",
    "batch_cached",
    "all_in_one",
    "openvino",
    "vllm",
    "llamacpp",
    "server",
    "no_attention",
)
OURS, COLUMNAR = "parallel", "parallel_columnar"
BOUND = "no_attention"  # the same step with attention skipped: a lower bound, not a way of answering
RIVALS = ("sequential", "batch", "batch_cached")

Timings = Mapping[tuple[str, int], Mapping[str, float]]  # (method, branches) -> measures

_TIMED = re.compile(r"benchmark\.(?P<method>\w+)\.branches_(?P<branches>\d+)\.(?P<measure>\w+)")


def flat_timings(flat: Mapping[str, object]) -> Timings:
    """Read rows from ``benchmark.<method>.branches_<n>.<measure>``, in the order of a table."""
    timings: dict[tuple[str, int], dict[str, float]] = {}
    for key, value in flat.items():
        if (match := _TIMED.fullmatch(key)) and is_number(value):
            timings.setdefault((match["method"], int(match["branches"])), {})[match["measure"]] = value
    return in_table_order(timings)


def in_table_order(timings: Timings) -> Timings:
    """The same rows, known methods first, each by number of branches."""
    ranks = {method: rank for rank, method in enumerate(in_order({method for method, _ in timings}, METHODS))}
    return {row: timings[row] for row in sorted(timings, key=lambda row: (ranks[row[0]], row[1]))}


def lines(timings: Timings, measure: str) -> dict[str, dict[int, float]]:
    """MEASURE by method and number of branches, where it is known."""
    found: dict[str, dict[int, float]] = {}
    for (method, branches), values in timings.items():
        if measure in values:
            found.setdefault(method, {})[branches] = values[measure]
    return found


def speedup(timings: Timings, branches: int, rival: str) -> float | None:
    """Tokens per second of parallel over those of RIVAL at the same number of branches."""
    ours = timings.get((OURS, branches), {}).get("tokens_per_s")
    theirs = timings.get((rival, branches), {}).get("tokens_per_s")
    return ours / theirs if ours and theirs else None


def speedups(timings: Timings) -> dict[str, dict[int, float]]:
    """What parallel gains on every other way of answering, by method and number of branches."""
    gains = {
        row: speedup(timings, row[1], row[0]) for row in timings if not row[0].startswith(OURS) and row[0] != BOUND
    }
    return lines({row: {"gain": gain} for row, gain in gains.items() if gain}, "gain")


def in_order(names: set[str], first: Collection[str]) -> list[str]:
    """NAMES with those of FIRST in front, the others by alphabet."""
    return [name for name in first if name in names] + sorted(names - set(first))


def is_number(value: object) -> bool:
    """Whether VALUE can be reckoned with."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_finite(value: object) -> bool:
    """Whether VALUE is a number that was measured: a diverged training leaves NaN."""
    return is_number(value) and math.isfinite(value)
