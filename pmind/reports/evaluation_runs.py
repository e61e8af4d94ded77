"""Runs of ``pmind evaluate --keep``: one model's answers to one dataset, by method and number of branches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pmind.reports.formats import Value
from pmind.reports.kept_files import one_line, read_folder
from pmind.reports.timings import Timings, in_table_order, is_number

EVALUATIONS = "evaluations"  # folder below metrics/
COMMAND = "pmind evaluate {} --model … --keep {}"
REFERENCE = "sequential"  # what a run compares every other method with
SPEED = ("tokens_per_s", "questions_per_s", "seconds", "prefill_s", "speedup", "same_answers")
COSTS = ("prompt_tokens", "rounds", "no_room", "missing", "group_s", "read", "written")
SIZES = ("groups", "questions", "documents", "tokens", "branches")

Cell = tuple[str, int]  # method, most branches


@dataclass(frozen=True)
class EvaluationRun:
    """One dataset answered by one model in several ways.

    Attributes:
        file: its path below the metrics folder, such as ``evaluations/squad.json``.
        model: what the run calls the model.
        dataset: name of the dataset.
        rows: scores and speed of each cell, in the order of a table.
        answers: name and SHA-256 of the file with each cell's answers, as far as the run tells them.
        groups: sizes of the groups, and what was left out or cut.
        conditions: machine, versions, and how the questions were put.
    """

    file: str
    model: str
    dataset: str
    rows: Timings
    answers: Mapping[Cell, tuple[str, str]]
    groups: Mapping[str, float]
    conditions: Mapping[str, Value]

    @property
    def command(self) -> str:
        """What wrote the file."""
        return COMMAND.format(self.dataset, f"metrics/{self.file}")

    @property
    def name(self) -> str:
        """The file's own name."""
        return PurePosixPath(self.file).name

    def number(self, cell: Cell, key: str) -> float | None:
        """A number of a cell, ``None`` if it has none of that name."""
        return self.rows.get(cell, {}).get(key)

    def interval(self, cell: Cell, key: str) -> tuple[float | None, float | None, float | None]:
        """A score or a difference with the ends of its interval."""
        return tuple(self.number(cell, key + end) for end in ("", "_low", "_high"))

    def measures(self) -> list[str]:
        """Scores that any cell has for single questions, in the file's order."""
        return list(dict.fromkeys(key[:-2] for values in self.rows.values() for key in values if key.endswith("_n")))

    def aggregates(self) -> list[str]:
        """Scores of all questions together: they have no interval."""
        derived = tuple(f"{measure}_" for measure in self.measures())
        known = {*SPEED, *COSTS, *SIZES, *self.measures()}
        keys = dict.fromkeys(key for values in self.rows.values() for key in values)
        return [key for key in keys if key not in known and not key.startswith(derived)]


def read_evaluation_runs(metrics: Path) -> tuple[EvaluationRun, ...]:
    """Read every run kept below METRICS, by name; none if there is no such folder.

    Raises:
        DataError: a file is no result of ``pmind evaluate``.
    """
    command = COMMAND.format("DATASET", "{}")
    return read_folder(metrics, EVALUATIONS, _run, "rows and conditions of an evaluation", command)


def rows_of(rows: Sequence[Mapping[str, Any]]) -> dict[Cell, Mapping[str, Any]]:
    """Rows by method and branches.

    Raises:
        ValueError: two of them are of one cell.
    """
    found = {(str(row["method"]), int(row["branches"])): row for row in rows}
    if len(found) < len(rows):
        raise ValueError("two rows of one method with as many branches")
    return found


def numbers_of(row: Mapping[str, Any]) -> dict[str, float]:
    """What a row holds of numbers."""
    return {name: value for name, value in row.items() if is_number(value)}


def _run(file: str, content: Mapping[str, Any]) -> EvaluationRun:
    conditions = {key: value for key, value in content["conditions"].items() if value is not None}
    rows = rows_of(content["rows"])
    return EvaluationRun(
        file,
        one_line(conditions["model"]),
        one_line(conditions["dataset"]),
        in_table_order({cell: numbers_of(row) for cell, row in rows.items()}),
        {
            cell: (one_line(row["answers"]), str(row.get("answers_sha256", "")))
            for cell, row in rows.items()
            if "answers" in row
        },
        numbers_of(content.get("groups", {})),
        conditions,
    )
