"""The metrics folder as the report reads it, and the commands that fill it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pmind.errors import DataError
from pmind.reports.analyses import Analysis, read_analyses
from pmind.reports.comparisons import Comparison, read_comparisons
from pmind.reports.engine_runs import ENGINES, GPU, EngineRun, read_engine_runs
from pmind.reports.evaluation_runs import EvaluationRun, read_evaluation_runs
from pmind.reports.formats import Value
from pmind.reports.losses import Positions, by_branches, by_positions
from pmind.reports.phases import Phases, read_phases
from pmind.reports.sweeps import Sweep, read_sweeps
from pmind.reports.timings import METHODS, Timings, flat_timings, in_order, is_number
from pmind.reports.trained_models import TrainedModel, read_models
from pmind.reports.training_costs import TrainingCost, read_training_costs

Flat = Mapping[str, Value]

COMMANDS = {  # file below metrics/, without .json -> what writes it
    "quality": "dvc repro evaluate",
    "loss": "dvc repro pretrain",
    "benchmark": "dvc repro benchmark",
    "benchmark_conditions": "dvc repro benchmark",
    "load": "dvc repro benchmark",
    "groups_squad": "dvc repro group@squad",
    "groups_cmb": "dvc repro group@cmb",
    "pretrain": "dvc repro pretrain",
    "finetune_squad": "dvc repro finetune@squad",
    "finetune_cmb": "dvc repro finetune@cmb",
    "settings": "dvc repro evaluate",
}
EXPERIMENTS = "experiments"  # folder below metrics/ of the runs kept for comparison
DATASETS = {"squad": "Reading comprehension (`squad`)", "cmb": "Chinese medical questions (`cmb`)"}


@dataclass(frozen=True)
class Metrics:
    """Flat metrics by file; a file that is not there yet is absent.

    Attributes:
        files: metrics by the file's name without ``.json``.
        engines: runs beside other engines.
        gpu: the same on a GPU.
        evaluations: datasets answered by models in several ways.
        comparisons: the same by every method, a dataset each.
        sweeps: ablations, a setting varied over seeds.
        models: trained on real text.
        training_costs: what a step of training takes.
        analyses: models that were looked into.
        phases: what the rotary embedding's phases foretell.
    """

    files: Mapping[str, Flat]
    engines: tuple[EngineRun, ...] = ()
    gpu: tuple[EngineRun, ...] = ()
    evaluations: tuple[EvaluationRun, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    sweeps: tuple[Sweep, ...] = ()
    models: tuple[TrainedModel, ...] = ()
    training_costs: tuple[TrainingCost, ...] = ()
    analyses: tuple[Analysis, ...] = ()
    phases: Phases | None = None

    def number(self, file: str, key: str) -> float | None:
        """Value of KEY in FILE, ``None`` if either is not there or it is no number."""
        value = self.files.get(file, {}).get(key)
        return value if is_number(value) else None

    def interval(self, key: str) -> tuple[float | None, float | None, float | None]:
        """A quality value with the ends of its interval."""
        return tuple(self.number("quality", key + end) for end in ("", "_low", "_high"))

    def losses(self) -> dict[int, float]:
        """Validation loss in nats per token by number of branches."""
        return by_branches(self.files.get("loss", {}))

    def position_losses(self) -> dict[Positions, dict[int, float]]:
        """The same by position in the branch, then by number of branches."""
        return by_positions(self.files.get("loss", {}))

    def sweep(self, name: str) -> Sweep | None:
        """The ablation of that name, if it has run."""
        return next((sweep for sweep in self.sweeps if sweep.name == name), None)

    def timings(self) -> Timings:
        """Benchmark numbers by (method, branches), in the order of a table."""
        return flat_timings(self.files.get("benchmark", {}))

    def datasets(self) -> list[str]:
        """Datasets with any quality number."""
        return in_order({key.split(".")[0] for key in self.files.get("quality", {}) if ".chance." in key}, DATASETS)

    def methods(self, dataset: str) -> list[str]:
        """Methods that answered DATASET."""
        keys = (key.split(".") for key in self.files.get("quality", {}) if key.startswith(f"{dataset}."))
        return in_order({parts[1] for parts in keys if parts[2:] == ["n"]}, METHODS)


def read_metrics(folder: Path) -> Metrics:
    """Read every known metrics file that FOLDER has.

    Raises:
        DataError: FOLDER is missing, or a file is not what its command writes.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder. Run the pipeline first: dvc repro")
    paths = {name: folder / f"{name}.json" for name in COMMANDS}
    files = {name: read_flat(path) for name, path in paths.items() if path.is_file()}
    engines, gpu = (read_engine_runs(folder, kind) for kind in (ENGINES, GPU))
    readers = (
        *(read_evaluation_runs, read_comparisons, read_sweeps, read_models, read_training_costs),
        *(read_analyses, read_phases),
    )
    return Metrics(files, engines, gpu, *(read(folder) for read in readers))


def read_kept(folder: Path) -> dict[str, Metrics]:
    """Metrics of the runs kept below FOLDER, by name; a run with FOLDER's own settings is left out."""
    own = read_metrics(folder).files.get("settings")
    kept = {path.name: read_metrics(path) for path in sorted((folder / EXPERIMENTS).glob("*")) if path.is_dir()}
    return {name: metrics for name, metrics in kept.items() if metrics.files.get("settings") != own}


def read_flat(path: Path) -> Flat:
    """Read one metrics file of the pipeline.

    Raises:
        DataError: it is not what its command writes.
    """
    again = f"Write it again: {COMMANDS.get(path.stem, 'dvc repro')}"
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not valid JSON ({error.msg}). {again}") from error
    if not isinstance(metrics, dict):
        raise DataError(f"{path}: expected one object of keys and values. {again}")
    nested = [key for key, value in metrics.items() if isinstance(value, dict | list)]
    if nested:
        raise DataError(f"{path}: '{nested[0]}' is not a single value; metrics are flat. {again}")
    return metrics
