"""Score every method's answers: exact match, F1, accuracy, intervals, chance."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pmind.errors import DataError
from pmind.evaluation.rows import read_rows
from pmind.evaluation.summary import Metrics, summarise
from pmind.params import EvaluateParams, GeometryParams, RunParams, TaskParams, load_section
from pmind.stage import run_stage, write_metrics
from pmind.tasks.records import read_groups
from pmind.visibility import resolve_alignment

METHODS = ("parallel", "sequential", "batch", "multi_turn", "collab_heuristic", "base", "parallel_swapped")


def main(groups: Path, rows: Path, metrics: Path, settings: Path, *, params: Path = Path("params.yaml")) -> None:
    """Score the answers under ROWS to the questions under GROUPS; write METRICS and the SETTINGS they were made under.

    GROUPS holds <dataset>/train.jsonl and <dataset>/test.jsonl, ROWS holds <dataset>/<method>.parquet.
    """
    config = load_section(params, "evaluate", EvaluateParams)
    quality: Metrics = {"interval.confidence": config.confidence}
    folders = _datasets(groups)
    for folder in folders:
        answers = {method: read_rows(rows / folder.name / f"{method}.parquet") for method in METHODS}
        test, train = read_groups(folder / "test.jsonl"), read_groups(folder / "train.jsonl")
        quality |= summarise(folder.name, answers, test, train, config.confidence)
    write_metrics(metrics, quality)
    write_metrics(settings, _settings(params) | _asked(params, [folder.name for folder in folders]))


def _asked(params: Path, sections: Sequence[str]) -> dict[str, object]:
    """Which dataset stood in each of the pipeline's places."""
    return {f"{name}.dataset": load_section(params, name, TaskParams).dataset for name in sections}


def _settings(params: Path) -> dict[str, object]:
    geometry, run = load_section(params, None, GeometryParams), load_section(params, None, RunParams)
    alignment = resolve_alignment(geometry.alignment, geometry.visibility)
    indices = ", ".join(map(str, geometry.pair_indices))
    return {**asdict(geometry), **asdict(run), "alignment": alignment, "pair_indices": indices}


def _datasets(groups: Path) -> list[Path]:
    folders = sorted(path.parent for path in groups.glob("*/test.jsonl"))
    if not folders:
        raise DataError(f"{groups}: no <dataset>/test.jsonl below. Run the group stage first: dvc repro group")
    return folders


if __name__ == "__main__":
    run_stage(main)
