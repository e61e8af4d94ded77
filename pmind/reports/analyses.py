"""Models that were looked into: ``metrics/analysis/*.json``, one file each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pmind.errors import DataError
from pmind.reports.kept_files import read_folder

ANALYSIS = "analysis"  # folder below metrics/
COMMAND = "dvc repro analyze"
VERSION = 1
PARTS = ("conditions", "heads", "layers", "clusters", "offsets", "example", "ablation", "independence")


@dataclass(frozen=True)
class Analysis:
    """What was found in one model.

    Attributes:
        file: its path below the metrics folder.
        name: of the model.
        content: as :func:`pmind.analysis.model_analysis.analyze_model` describes it.
    """

    file: str
    name: str
    content: Mapping[str, Any]

    @property
    def command(self) -> str:
        """What wrote the file."""
        return COMMAND


def read_analyses(metrics: Path) -> tuple[Analysis, ...]:
    """Read every analysis below METRICS, by name; none if there is no such folder.

    Raises:
        DataError: a file is no such analysis, or of another version.
    """
    return read_folder(metrics, ANALYSIS, _analysis, "analysis of a model", COMMAND)


def _analysis(file: str, content: Mapping[str, Any]) -> Analysis:
    if content["version"] != VERSION:
        raise DataError(f"metrics/{file}: version {content['version']}, not {VERSION}. Write it again: {COMMAND}")
    for part in PARTS:
        _ = content[part]
    return Analysis(file, PurePosixPath(file).stem, content)
