"""Sweeps of ``make ablations``: one setting varied, over seeds, with means, intervals and the parallel tax."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmind.evaluation.intervals import Estimate, mean_interval
from pmind.reports.formats import Value
from pmind.reports.kept_files import finite_numbers, flat_conditions, one_line, read_folder
from pmind.reports.losses import by_branches, loss_key

ABLATIONS = "ablations"  # folder below metrics/
COMMAND = "make ablations"
REMEDY = f"run `{COMMAND}`"
HEADLINE = 16  # branches
ANY_VALUE = (-math.inf, math.inf)


@dataclass(frozen=True)
class Trial:
    """One model of a sweep.

    Attributes:
        label: what the sweep calls its setting; trials of one label differ in their seed.
        setting: what was set.
        seed: random seed.
        baseline: whether it was trained on single branches, to tell the tax of the others.
        against: label of the baseline that tells its own tax.
        metrics: its numbers; what is not finite was not measured.
    """

    label: str
    setting: Mapping[str, Value]
    seed: int
    baseline: bool
    against: str
    metrics: Mapping[str, float]

    def loss(self, branches: int) -> float | None:
        """Validation loss in nats per token."""
        return self.metrics.get(loss_key(branches))


@dataclass(frozen=True)
class Sweep:
    """All trials of one question.

    Attributes:
        file: its path below the metrics folder, such as ``ablations/ratio.json``.
        name: the sweep's name, such as ``ratio``.
        title: what it varies, in words.
        preset: size of the sweep, such as ``cpu``.
        conditions: model, steps, machine, versions.
        trials: in the order of the file.
    """

    file: str
    name: str
    title: str
    preset: str
    conditions: Mapping[str, Value]
    trials: tuple[Trial, ...]

    @property
    def command(self) -> str:
        """What wrote the file."""
        return COMMAND

    def labels(self, baselines: bool = True) -> list[str]:
        """Labels in the file's order, with those of BASELINES or without."""
        return list(dict.fromkeys(trial.label for trial in self.trials if baselines or not trial.baseline))

    def labelled(self, label: str) -> list[Trial]:
        """The trials of a label, one a seed."""
        return [trial for trial in self.trials if trial.label == label]

    def branches(self) -> list[int]:
        """Numbers of branches at which any trial was evaluated."""
        return sorted({count for trial in self.trials for count in by_branches(trial.metrics)})

    def mean(self, label: str, key: str) -> Estimate | None:
        """Mean of a number over the seeds that have it."""
        trials = self.labelled(label)
        return _over_seeds({trial.seed: trial.metrics[key] for trial in trials if key in trial.metrics})

    def loss(self, label: str, branches: int) -> Estimate | None:
        """Mean validation loss."""
        return self.mean(label, loss_key(branches))

    def tax(self, label: str, branches: int) -> Estimate | None:
        """Mean of loss at BRANCHES minus the loss at 1 of the single-branch model of the same seed."""
        return _over_seeds(self.taxes(label, branches))

    def taxes(self, label: str, branches: int) -> dict[int, float]:
        """The same by seed, for the seeds that have both losses."""
        pairs = {trial.seed: (trial.loss(branches), self._single(trial)) for trial in self.labelled(label)}
        return {seed: loss - single for seed, (loss, single) in pairs.items() if None not in (loss, single)}

    def has_baseline(self) -> bool:
        """Whether a tax can be told."""
        return any(trial.baseline for trial in self.trials)

    def has_own_losses(self) -> bool:
        """Whether labels differ in their losses; not if all were fine-tuned from the same pretrained model."""
        found: dict[tuple[int, int], set[float]] = {}
        for trial in self.trials:
            for branches, loss in by_branches(trial.metrics).items():
                found.setdefault((trial.seed, branches), set()).add(loss)
        return len(self.labels()) == 1 or any(len(losses) > 1 for losses in found.values())

    def headline_branches(self) -> int:
        """At how many branches labels are compared: 16, or else the most."""
        counts = self.branches()
        return HEADLINE if HEADLINE in counts else max(counts, default=HEADLINE)

    def headline(self, label: str) -> Estimate | None:
        """What labels are compared by: the tax, or the loss of a sweep without a baseline."""
        measure = self.tax if self.has_baseline() else self.loss
        return measure(label, self.headline_branches())

    def _single(self, trial: Trial) -> float | None:
        """The loss at 1 of the baseline that TRIAL is compared with, under the same seed."""
        twins = (other for other in self.labelled(trial.against) if other.seed == trial.seed)
        return next((twin.loss(1) for twin in twins), None)


def read_sweeps(metrics: Path) -> tuple[Sweep, ...]:
    """Read every sweep below METRICS, by name; none if there is no such folder.

    Raises:
        DataError: a file is no sweep.
    """
    return read_folder(metrics, ABLATIONS, _sweep, "rows and conditions of a sweep", COMMAND)


def half_width(estimate: Estimate) -> float | None:
    """Half of an interval; ``None`` where seeds are too few or too alike to tell."""
    half = (estimate.high - estimate.low) / 2
    return half if math.isfinite(half) else None


def _sweep(file: str, content: Mapping[str, Any]) -> Sweep:
    trials = tuple(map(_trial, content["rows"]))
    if len({(trial.label, trial.seed) for trial in trials}) < len(trials):
        raise ValueError("two rows of one label with the same seed")
    name = one_line(content["sweep"])
    title = one_line(content.get("title") or name)
    conditions = flat_conditions(content["conditions"])
    return Sweep(file, name, title, one_line(content.get("preset", "")), conditions, trials)


def _trial(row: Mapping[str, Any]) -> Trial:
    setting = flat_conditions(row.get("setting", {}))
    baseline = bool(row.get("baseline", False))
    against = one_line(row.get("against", ""))
    return Trial(one_line(row["label"]), setting, int(row["seed"]), baseline, against, finite_numbers(row["metrics"]))


def _over_seeds(values: Mapping[int, float]) -> Estimate | None:
    """Mean with the 95 % t-interval, every seed a cluster of its own; infinite where there is no spread."""
    return mean_interval(list(values.values()), list(map(str, values)), bounds=ANY_VALUE) if values else None
