"""A sweep from its name to the rows of its results."""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import torch

import pmind
from pmind.ablations.jobs import Document, Job, cell_jobs, in_waves, overridden, plain_setting
from pmind.ablations.presets import ANSWERING, PRESETS
from pmind.ablations.running import Workshop
from pmind.ablations.stages import Numbers
from pmind.ablations.sweeps import Cell, find_sweep
from pmind.evaluation.conditions import cpu_name

DATA = ("params.py", "models", "corpora", "tasks")
TRAINING = (*DATA, "geometry.py", "rope.py", "visibility.py", "training")
CODE = {  # kind of job -> what in pmind can change its result
    "tokenizer": DATA,
    "groups": DATA,
    "pretrain": TRAINING,
    "answers": (*TRAINING, "native", "decoding", "methods", "evaluation"),
}
STAGES = {"tokenizer": ["tokenizer"], "groups": ["group"], "pretrain": ["pretrain"], "answers": ["finetune", "decode"]}
VERSIONS = ("torch", "transformers", "tokenizers", "peft")


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
        ``sweep``, ``title``, ``preset``, ``conditions`` and ``rows``, ready for JSON; a row has ``label``,
        ``setting``, ``seed``, ``baseline`` and ``metrics``.

    Raises:
        ParamsError: no such sweep.
        TrainingError: jobs failed; those that did not are kept.
    """
    sweep = find_sweep(name)
    size = {**PRESETS[preset], **(ANSWERING[preset] if sweep.answers else {})}
    sized = overridden(document, {**size, "threads": workshop.threads})
    cells = [cell for cell in sweep.cells if preset not in cell.too_large_for]
    trials = _trials(cells, sized, seeds, sweep.answers)
    results = workshop.run(in_waves(job for trial in trials for job in trial.jobs.values()), name)
    return {
        "sweep": name,
        "title": sweep.title,
        "preset": preset,
        "conditions": _conditions(sized, seeds, workshop),
        "rows": [_row(trial, sized, results) for trial in trials],
    }


def _trials(cells: Sequence[Cell], document: Document, seeds: int, answers: bool) -> list[Trial]:
    code = {kind: _code_digest(kind) for kind in CODE}
    numbers = range(document["seed"], document["seed"] + seeds)
    return [
        Trial(cell, seed, cell_jobs(document, cell, seed, code, answers=answers))
        for cell, seed in product(cells, numbers)
    ]


def _row(trial: Trial, document: Document, results: Mapping[Job, Numbers]) -> dict[str, Any]:
    metrics: Numbers = {}
    for kind in ("pretrain", "answers"):
        metrics |= results[trial.jobs[kind]] if kind in trial.jobs else {}
    before = {f"before.{key}": value for key, value in plain_setting(document, trial.cell.before).items()}
    return {
        "label": trial.cell.label,
        "setting": plain_setting(document, trial.cell.setting) | before,
        "seed": trial.seed,
        "baseline": trial.cell.baseline,
        "metrics": dict(sorted(metrics.items())),
    }


def _conditions(document: Document, seeds: int, workshop: Workshop) -> dict[str, Any]:
    """What every cell has that does not name another, and what it ran on."""
    pretrain, text = document["pretrain"], document["text"]
    return {
        "model": document["base_model"],
        "text": Path(text["source"]).name,
        "documents": text["train_documents"],
        "steps": pretrain["steps"],
        "texts_a_step": pretrain["batch_size"],
        "branches": f"{pretrain['min_branches']}-{pretrain['max_branches']}",
        "branch_tokens": pretrain["max_branch_tokens"],
        "shared_context_share": pretrain["shared_context_share"],
        "finetune_steps": document["finetune"]["steps"],
        "seeds": seeds,
        "processor": torch.cuda.get_device_name() if torch.cuda.is_available() else cpu_name(),
        "threads": workshop.threads,
        "side_by_side": workshop.side_by_side,
        "python": platform.python_version(),
        **{name: version(name) for name in VERSIONS},
    }


def _code_digest(kind: str) -> str:
    """Changes with any code or version that could change a result of that kind of job."""
    digest = hashlib.sha256("".join(map(version, VERSIONS)).encode())
    package = Path(pmind.__file__).parent
    roots = [package / name for name in CODE[kind]]
    roots += [package.parent / "stages" / f"{stage}.py" for stage in STAGES[kind]]
    for path in (path for root in roots for path in ([root] if root.is_file() else sorted(root.rglob("*")))):
        if path.suffix in (".py", ".cpp"):
            digest.update(path.read_bytes())
    return digest.hexdigest()
