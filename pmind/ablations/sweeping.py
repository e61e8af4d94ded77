"""A sweep from its name to the rows of its results."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

from pmind.ablations.jobs import Document, Job, cell_jobs, in_waves, overridden, plain_setting, processor
from pmind.ablations.kinds import KINDS, VERSIONS, code_digest
from pmind.ablations.presets import ANSWERING, PRESETS
from pmind.ablations.running import Workshop
from pmind.ablations.stages import Numbers
from pmind.ablations.sweeps import Cell, Sweep, find_sweep


@dataclass(frozen=True)
class Trial:
    """One cell under one seed."""

    cell: Cell
    seed: int
    jobs: Mapping[str, Job]


def run_sweep(name: str, document: Document, preset: str, seeds: int, workshop: Workshop) -> dict[str, Any]:
    """Run what is missing of a sweep and put its rows together.

    Args:
        name: one of :data:`pmind.ablations.sweeps.SWEEPS`.
        document: the pipeline's params.
        preset: one of :data:`pmind.ablations.presets.PRESETS`.
        seeds: how many, counted up from the params' seed.
        workshop: where and how its jobs run.

    Returns:
        ``sweep``, ``title``, ``preset``, ``conditions``, ``rows`` and ``failures``, ready for JSON; a row has
        ``label``, ``setting``, ``seed``, ``baseline``, ``against`` and ``metrics``. Models that failed have none.

    Raises:
        ParamsError: no such sweep.
    """
    sweep = find_sweep(name)
    size = {**PRESETS[preset], **(ANSWERING[preset] if sweep.answers else {}), "threads": workshop.threads}
    sized = overridden(overridden(document, size), sweep.size)
    cells = [cell for cell in sweep.cells if preset not in cell.too_large_for]
    trials = _trials(cells, sized, seeds, sweep.methods)
    results, failures = workshop.run(in_waves(job for trial in trials for job in trial.jobs.values()), name)
    done = [trial for trial in trials if results.keys() >= set(trial.jobs.values())]
    against = next((cell.label for cell in cells if cell.baseline), "")
    return {
        "sweep": name,
        "title": sweep.title,
        "preset": preset,
        "conditions": _conditions(sweep, sized, seeds, workshop),
        "rows": [_row(trial, sized, results, against) for trial in done],
        "failures": list(failures.values()),
    }


def _trials(cells: Sequence[Cell], document: Document, seeds: int, methods: Sequence[str]) -> list[Trial]:
    code = {name: code_digest(kind) for name, kind in KINDS.items()}
    numbers = range(document["seed"], document["seed"] + seeds)
    return [Trial(cell, seed, cell_jobs(document, cell, seed, code, methods)) for cell, seed in product(cells, numbers)]


def _row(trial: Trial, document: Document, results: Mapping[Job, Numbers], against: str) -> dict[str, Any]:
    metrics: Numbers = {}
    for kind in ("pretrain", "answers"):
        metrics |= results[trial.jobs[kind]] if kind in trial.jobs else {}
    earlier = {"before": trial.cell.before, "first": trial.cell.first or {}}
    told = {
        f"{when}.{key}": value
        for when, setting in earlier.items()
        for key, value in plain_setting(document, setting).items()
    }
    return {
        "label": trial.cell.label,
        "setting": plain_setting(document, trial.cell.setting) | told,
        "seed": trial.seed,
        "baseline": trial.cell.baseline,
        "against": trial.cell.against or against,
        "metrics": dict(sorted(metrics.items())),
    }


def _conditions(sweep: Sweep, document: Document, seeds: int, workshop: Workshop) -> dict[str, Any]:
    """What all cells have in common, and what they ran on."""
    pretrain, text = document["pretrain"], document["text"]
    varied = {key for cell in sweep.cells if not cell.baseline for key in cell.setting}
    common = {
        "model": ("base_model", document["base_model"]),
        "documents": ("text.train_documents", text["train_documents"]),
        "steps": ("pretrain.steps", pretrain["steps"]),
        "branches": ("pretrain.max_branches", f"{pretrain['min_branches']}-{pretrain['max_branches']}"),
    }
    tuned = {"finetune_steps": document["finetune"]["steps"]} if sweep.answers else {}
    return {
        **{name: value for name, (key, value) in common.items() if key not in varied},
        "text": Path(text["source"]).name,
        "texts_a_step": pretrain["batch_size"],
        "branch_tokens": pretrain["max_branch_tokens"],
        "shared_context_share": pretrain["shared_context_share"],
        **tuned,
        "seeds": seeds,
        "processor": processor(),
        "threads": workshop.threads,
        "side_by_side": workshop.side_by_side,
        "python": platform.python_version(),
        **{name: version(name) for name in VERSIONS},
    }
