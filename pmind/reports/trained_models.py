"""Models trained on real text, one flat record each below ``metrics/models/``, kept from runs of the pipeline."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pmind.reports.formats import Value
from pmind.reports.kept_files import finite_numbers, flat_conditions, one_line, read_folder
from pmind.reports.losses import by_branches

MODELS = "models"  # folder below metrics/
COMMAND = "the command that its own record names"
BASELINE = "baseline."  # how the keys of the equally trained single-branch model begin
SCORED = re.compile(r"(?P<dataset>\w+)\.(?P<method>parallel|sequential|batch|base)\.(?P<measure>em|f1|accuracy)")


@dataclass(frozen=True)
class TrainedModel:
    """What was measured of one model.

    Attributes:
        file: its path below the metrics folder, such as ``models/minimind-26m.json``.
        name: model and text, in words.
        command: what trained and measured it.
        conditions: machine, versions, how much it was trained.
        metrics: losses, those of its single-branch twin, scores.
    """

    file: str
    name: str
    command: str
    conditions: Mapping[str, Value]
    metrics: Mapping[str, float]

    def losses(self) -> dict[int, float]:
        """Validation loss in nats per token by number of branches."""
        return by_branches(self.metrics)

    def single(self) -> dict[int, float]:
        """The same of the equally trained single-branch model."""
        own = {key.removeprefix(BASELINE): value for key, value in self.metrics.items() if key.startswith(BASELINE)}
        return by_branches(own)

    def taxes(self) -> dict[int, float]:
        """Loss by number of branches, minus the single-branch model's loss at 1; empty if that is not known."""
        single = self.single().get(1)
        return {} if single is None else {branches: loss - single for branches, loss in self.losses().items()}

    def scored(self) -> dict[str, dict[str, list[str]]]:
        """Measures by dataset and method, in the record's order."""
        found: dict[str, dict[str, list[str]]] = {}
        for match in filter(None, map(SCORED.fullmatch, self.metrics)):
            found.setdefault(match["dataset"], {}).setdefault(match["method"], []).append(match["measure"])
        return found

    def interval(self, key: str) -> tuple[float | None, float | None, float | None]:
        """A score with the ends of its interval."""
        return tuple(self.metrics.get(key + end) for end in ("", "_low", "_high"))


def read_models(metrics: Path) -> tuple[TrainedModel, ...]:
    """Read every record below METRICS, by name; none if there is no such folder.

    Raises:
        DataError: a file is no such record.
    """
    return read_folder(metrics, MODELS, _model, "metrics and command of a trained model", COMMAND)


def _model(file: str, content: Mapping[str, Any]) -> TrainedModel:
    name = one_line(content.get("name") or PurePosixPath(file).stem)
    conditions = flat_conditions(content.get("conditions", {}))
    return TrainedModel(file, name, one_line(content["command"]), conditions, finite_numbers(content["metrics"]))
