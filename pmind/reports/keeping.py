"""Keep a run of the pipeline, so that later reports show it: as an experiment, or as a trained model's record."""

import json
import re
import shutil
from pathlib import Path

from pmind.errors import DataError
from pmind.reports.formats import Value
from pmind.reports.metrics import COMMANDS, EXPERIMENTS, Flat, read_flat, read_metrics
from pmind.reports.trained_models import BASELINE, MODELS, SCORED

FILES = ("quality", "loss", "settings")  # of an experiment
MODEL_FILES = (*FILES, "pretrain")
NUMBERS = re.compile(rf"loss\.\w+|{SCORED.pattern.replace('base', 'base|parallel_minus_sequential')}(_low|_high)?")
TRAINED = ("parameters", "documents", "documents_left_out", "texts", "steps", "label_tokens")  # counts of pretraining
DATASET = ".dataset"  # ends the settings that name a dataset
MACHINE = ("cpu", "threads", "torch", "transformers")


def keep_experiment(metrics: Path, name: str) -> Path:
    """Keep the current run of METRICS under NAME, to be compared with in later reports.

    Raises:
        DataError: a file of the run is missing, or NAME is no plain folder name.
    """
    _check(metrics, name, FILES)
    kept = metrics / EXPERIMENTS / name
    kept.mkdir(parents=True, exist_ok=True)
    for file in FILES:
        shutil.copyfile(metrics / f"{file}.json", kept / f"{file}.json")
    return kept


def keep_model(metrics: Path, name: str, command: str, single: Path | None = None) -> Path:
    """Keep the current run of METRICS as the record of a trained model.

    Args:
        metrics: folder that the pipeline wrote.
        name: of the record's file.
        command: what was typed to train and measure the model.
        single: ``loss.json`` of the same run with single branches, which tells the parallel tax.

    Raises:
        DataError: as :func:`keep_experiment`.
    """
    _check(metrics, name, MODEL_FILES)
    files = read_metrics(metrics).files
    told = {key: value for key, value in files["settings"].items() if not key.endswith(DATASET)}
    numbers = files["loss"] | _by_dataset(files["quality"], files["settings"])
    twin = read_flat(single).items() if single else ()
    record = {
        "name": name,
        "command": command,
        "conditions": {
            **{key: value for key, value in files.get("benchmark_conditions", {}).items() if key in MACHINE},
            **told,  # its threads are the run's own
            **{key: files["pretrain"][f"pretrain.{key}"] for key in TRAINED},
        },
        "metrics": {key: value for key, value in numbers.items() if NUMBERS.fullmatch(key)}
        | {f"{BASELINE}{key}": value for key, value in twin if NUMBERS.fullmatch(key)},
    }
    path = metrics / MODELS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _by_dataset(quality: Flat, settings: Flat) -> dict[str, Value]:
    """Scores under the names of the datasets that stood in the pipeline's places."""
    keys = {key: key.split(".", 1) for key in quality}
    return {f"{settings.get(place + DATASET, place)}.{rest}": quality[key] for key, (place, rest) in keys.items()}


def _check(metrics: Path, name: str, files: tuple[str, ...]) -> None:
    if not re.fullmatch(r"[\w.=,-]+", name) or name.startswith("."):
        raise DataError(f"'{name}' cannot name a run; use letters, digits and . = , - _")
    missing = [file for file in files if not (metrics / f"{file}.json").is_file()]
    if missing:
        raise DataError(f"{metrics}: no {missing[0]}.json yet. Make it first: {COMMANDS[missing[0]]}")
