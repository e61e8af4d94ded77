"""What a token costs in columnar training, beside ordinary causal training: runs of ``pmind benchmark-training``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmind.reports.formats import Value
from pmind.reports.kept_files import finite_numbers, flat_conditions, one_line, read_folder

TRAINING_COST = "training_cost"  # folder below metrics/
COMMAND = "pmind benchmark-training --model … --out {}"


@dataclass(frozen=True)
class TrainingCost:
    """Ways of attending timed in one run.

    Attributes:
        file: its path below the metrics folder.
        rows: way of attending and numbers of each row, in the file's order.
        conditions: machine, versions, model.
    """

    file: str
    rows: tuple[tuple[str, Mapping[str, float]], ...]
    conditions: Mapping[str, Value]

    @property
    def command(self) -> str:
        """What wrote the file."""
        return COMMAND.format(f"metrics/{self.file}")


def read_training_costs(metrics: Path) -> tuple[TrainingCost, ...]:
    """Read every run kept below METRICS, by name; none if there is no such folder.

    Raises:
        DataError: a file is no result of ``pmind benchmark-training``.
    """
    return read_folder(metrics, TRAINING_COST, _run, "rows and conditions of a training benchmark", COMMAND)


def _run(file: str, content: Mapping[str, Any]) -> TrainingCost:
    rows = tuple((one_line(row["way"]), finite_numbers(row)) for row in content["rows"])
    return TrainingCost(file, rows, flat_conditions(content["conditions"]))
