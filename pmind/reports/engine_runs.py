"""Runs of ``pmind benchmark --out``, kept by hand below ``metrics/``: parallel beside other engines."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmind.reports.formats import Value
from pmind.reports.kept_files import one_line, read_folder
from pmind.reports.timings import Timings, in_table_order, is_number

ENGINES, GPU = "engines", "gpu"  # folders below metrics/
COMMAND = "pmind benchmark --model … --methods … --out {}"


@dataclass(frozen=True)
class EngineRun:
    """Several engines timed in one run.

    Attributes:
        file: its path below the metrics folder, such as ``engines/minimind-26m.json``.
        timings: the rows.
        conditions: machine, versions, model and workload.
        failures: a line for each row that could not be measured.
    """

    file: str
    timings: Timings
    conditions: Mapping[str, Value]
    failures: tuple[str, ...]

    @property
    def command(self) -> str:
        """What wrote the file."""
        return COMMAND.format(f"metrics/{self.file}")


def read_engine_runs(metrics: Path, folder: str) -> tuple[EngineRun, ...]:
    """Read every run in FOLDER below METRICS, by name; none if there is no such folder.

    Raises:
        DataError: a file is no result of ``pmind benchmark``.
    """
    return read_folder(metrics, folder, _run, "rows and conditions of a benchmark", COMMAND)


def _run(file: str, content: Mapping[str, Any]) -> EngineRun:
    timings = {(row["method"], row["branches"]): _numbers(row) for row in content["rows"]}
    failures = tuple(map(one_line, content.get("failures", ())))
    return EngineRun(file, in_table_order(timings), dict(content["conditions"]), failures)


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: value for name, value in row.items() if name != "branches" and is_number(value)}
