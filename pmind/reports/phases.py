"""What :func:`pmind.analysis.prediction.analyse_phases` told of the rotary embedding's phases."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmind.errors import DataError
from pmind.reports.formats import Value

FILE = "phases.json"  # below metrics/
COMMAND = "dvc repro analyze_phases"
REMEDY = f"run `{COMMAND}`"
HEADLINE = "crowding"  # the score that settings are ranked by

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Phases:
    """Rows of the file.

    Attributes:
        conditions: head, numbers of branches and columns, sharpness.
        settings: a row a measured setting.
        correlations: a row a sweep and score.
        by_branches: a row a sweep and number of branches.
        kernels: of a few settings.
        wider: a row a head, ratio and encoding.
    """

    conditions: Mapping[str, Value]
    settings: tuple[Row, ...]
    correlations: tuple[Row, ...]
    by_branches: tuple[Row, ...]
    kernels: tuple[Row, ...]
    wider: tuple[Row, ...]

    def sweeps(self) -> list[str]:
        """Sweeps whose settings were measured."""
        return list(dict.fromkeys(row["sweep"] for row in self.settings))

    def of_sweep(self, sweep: str) -> list[Row]:
        """Its settings, the least tax first."""
        return sorted((row for row in self.settings if row["sweep"] == sweep), key=lambda row: row["tax"])


def read_phases(metrics: Path) -> Phases | None:
    """Read the file below METRICS; ``None`` if there is none.

    Raises:
        DataError: it is not what its stage writes.
    """
    path = metrics / FILE
    if not path.is_file():
        return None
    again = f"Write it again: {COMMAND}"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = (tuple(content[name]) for name in ("settings", "correlations", "by_branches", "kernels", "wider"))
        return Phases(dict(content["conditions"]), *rows)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not valid JSON ({error.msg}). {again}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: no analysis of phases ({error}). {again}") from error
