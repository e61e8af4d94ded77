"""Plot data as lists of rows: for the report's figures and for ``dvc plots``."""

import json
from pathlib import Path
from typing import Any

from pmind.reports.metrics import Metrics

Rows = list[dict[str, Any]]


def loss_rows(metrics: Metrics) -> Rows:
    """Validation loss: one row a branch count."""
    return [{"branches": branches, "loss": loss} for branches, loss in metrics.losses().items()]


def throughput_rows(metrics: Metrics) -> Rows:
    """Tokens per second: one row a branch count, one column a method.

    ``dvc plots`` draws one line a column; rows of (branches, method, rate) it would join into one.
    """
    rows: dict[int, dict[str, Any]] = {}
    for (method, branches), values in metrics.timings().items():
        if "tokens_per_s" in values:
            rows.setdefault(branches, {"branches": branches})[method] = values["tokens_per_s"]
    return [rows[branches] for branches in sorted(rows)]


def write_plots(folder: Path, metrics: Metrics) -> None:
    """Write both lists as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in {"loss_by_branches": loss_rows(metrics), "throughput": throughput_rows(metrics)}.items():
        (folder / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
