"""Runs of ``pmind compare --keep``: every way of answering, several datasets a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmind.reports.evaluation_runs import Cell, EvaluationRun, numbers_of, rows_of
from pmind.reports.kept_files import flat_conditions, one_line, read_folder
from pmind.reports.timings import Timings, in_table_order

COMPARISONS = "comparisons"  # folder below metrics/
COMMAND = "pmind compare … --keep {}"


@dataclass(frozen=True)
class Comparison(EvaluationRun):
    """One dataset of a comparison.

    Attributes:
        skipped: methods that were left out, with the reason.
        kinds: headline scores of each category of questions, by category, where there are several.
    """

    skipped: Mapping[str, str]
    kinds: Mapping[str, Timings]

    @property
    def command(self) -> str:
        """What wrote the file."""
        return COMMAND.format(f"metrics/{self.file}")


def read_comparisons(metrics: Path) -> tuple[Comparison, ...]:
    """Read every comparison kept below METRICS, by file, then dataset; none if there is no such folder.

    Raises:
        DataError: a file is no result of ``pmind compare``.
    """
    kept = read_folder(metrics, COMPARISONS, _comparisons, "rows and conditions of a comparison", COMMAND)
    return tuple(comparison for found in kept for comparison in found)


def _comparisons(file: str, content: Mapping[str, Any]) -> list[Comparison]:
    conditions = flat_conditions(content["conditions"])
    found = []
    for dataset, counts in content["groups"].items():
        rows = rows_of([row for row in content["rows"] if row["dataset"] == dataset])
        costed = {cell: _numbers(row) for cell, row in rows.items()}
        skipped = {name: one_line(reason) for name, reason in content["skipped"][dataset].items()}
        model = one_line(content["rows"][0]["model"])
        told = conditions | {"dataset": dataset, "model": model}
        kinds, timings = _kinds(rows), in_table_order(costed)
        found.append(Comparison(file, model, dataset, timings, {}, numbers_of(counts), told, skipped, kinds))
    return found


def _kinds(rows: Mapping[Cell, Mapping[str, Any]]) -> dict[str, Timings]:
    found: dict[str, dict[Cell, dict[str, float]]] = {}
    for cell, row in rows.items():
        for name, values in row.get("categories", {}).items():
            found.setdefault(name, {})[cell] = numbers_of(values)
    return {name: in_table_order(timings) for name, timings in found.items()}


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """A row's numbers, and what a group costs."""
    numbers = numbers_of(row)
    per_group = {"group_s": "seconds", "read": "prompt_tokens", "written": "tokens"}
    return numbers | {key: numbers[source] / numbers["groups"] for key, source in per_group.items()}
