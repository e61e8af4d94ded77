"""Plot data as lists of rows: for the report's figures and for ``dvc plots``."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pmind.reports.metrics import Metrics
from pmind.reports.timings import lines, speedups

MIB = 2**20

Rows = list[dict[str, Any]]


def plot_rows(metrics: Metrics) -> dict[str, Rows]:
    """Every list by the name of its file; of what has not been measured the list is empty."""
    timings = metrics.timings()
    memory = lines(timings, "peak_memory_bytes")
    return {
        "loss_by_branches": [{"branches": branches, "loss": loss} for branches, loss in metrics.losses().items()],
        "throughput": _rows(lines(timings, "tokens_per_s")),
        "column_ms": _rows(lines(timings, "column_ms")),
        "memory": _rows({method: {at: size / MIB for at, size in line.items()} for method, line in memory.items()}),
        "speedup": _rows(speedups(timings)),
    }


def write_plots(folder: Path, metrics: Metrics) -> None:
    """Write every list as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in plot_rows(metrics).items():
        (folder / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _rows(values: Mapping[str, Mapping[int, float]]) -> Rows:
    """One row a branch count, one column a method.

    ``dvc plots`` draws one line a column; rows of (branches, method, value) it would join into one.
    """
    branches = sorted({count for line in values.values() for count in line})
    return [
        {"branches": count, **{method: line[count] for method, line in values.items() if count in line}}
        for count in branches
    ]
