"""Every stage on a few built-in passages, in the order of dvc.yaml, with the pipeline's own params made small."""

import json
from pathlib import Path

import pytest
import yaml

from pmind.cli import app
from pmind.evaluation.rows import read_rows, read_times
from pmind.tasks.records import read_groups
from stages import (
    analyze,
    benchmark,
    decode,
    evaluate,
    finetune,
    group,
    pretrain,
    report,
    tokenizer,
)
from tests.conftest import THREADS

ROOT = Path(__file__).resolve().parents[2]
SMALL = {
    "text": {"train_documents": 40, "val_documents": 1},
    "tokenizer": {"vocab_size": 400},
    "squad": {"train_groups": 8, "test_groups": 6},
    "cmb": {"train_groups": 8, "test_groups": 6},
    "pretrain": {"steps": 3, "batch_size": 2, "max_branches": 2, "checkpoint_every": 2},
    "finetune": {"steps": 2, "batch_size": 2},
    "decode": {"max_new_tokens": 3},
    "analyze": {
        "groups": 3,
        "branches": [2],
        "targets": 1,
        "ablation_groups": 2,
        "ablation_heads": 2,
        "max_new_tokens": 2,
    },
    "benchmark": {
        "model": "tiny",
        "methods": ["sequential", "parallel", "batch"],
        "branches": [1, 2],
        "context_tokens": 8,
        "prompt_tokens": 4,
        "answer_tokens": 3,
        "dtype": "float32",
        "device": "cpu",
        "repeats": 1,
        "memory": True,
        "load_groups": 3,
        "load_branches": 2,
        "load_max_groups": 2,
        "load_shares": [1.0],
    },
}
METHODS = ("parallel", "sequential", "batch")
DECODED = (*METHODS, "multi_turn", "collab_heuristic")
MEASURES = {"squad": "em", "cmb": "accuracy"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Folder of a finished small run."""
    folder = tmp_path_factory.mktemp("run")
    params = folder / "params.yaml"
    params.write_text(yaml.safe_dump(_small_params()), encoding="utf-8")
    data, metrics = folder / "data", folder / "metrics"
    tokenizer.main(data / "tokenizer", params=params)
    for dataset in ("squad", "cmb"):
        groups = data / "groups" / dataset
        group.main(dataset, data / "tokenizer", groups, metrics / f"groups_{dataset}.json", params=params)
    base = data / "models" / "base"
    pretrain.main(
        data / "tokenizer", base, metrics / "pretrain.json", metrics / "loss.json", params=params,
        checkpoints=folder / "checkpoints" / "pretrain", curves=folder / "logs",
    )  # fmt: skip
    for dataset in ("squad", "cmb"):
        groups, model = data / "groups" / dataset, data / "models" / dataset
        finetune.main(
            dataset, base, groups, model, metrics / f"finetune_{dataset}.json", params=params,
            checkpoints=folder / "checkpoints" / dataset, curves=folder / "logs",
        )  # fmt: skip
        answers = data / "answers" / dataset
        for method in DECODED:
            decode.main(dataset, method, model, groups / "test.jsonl", answers / f"{method}.parquet", params=params)
        decode.main(dataset, "sequential", base, groups / "test.jsonl", answers / "base.parquet", params=params)
        swapped = answers / "parallel_swapped.parquet"
        decode.main(dataset, "parallel", model, groups / "test_swapped.jsonl", swapped, params=params)
    evaluate.main(data / "groups", data / "answers", metrics / "quality.json", metrics / "settings.json", params=params)
    timed, conditions = metrics / "benchmark.json", metrics / "benchmark_conditions.json"
    benchmark.main(timed, conditions, metrics / "load.json", params=params)
    tested = data / "groups" / "squad" / "test.jsonl"
    analyze.main(data / "models" / "squad", tested, metrics / "analysis" / "squad.json", params=params)
    report.main(metrics, data / "report", params=params)
    return folder


def _small_params():
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for section, changes in SMALL.items():
        params[section] |= changes
    return params | {"threads": THREADS}


def _metrics(run, name):
    return json.loads((run / "metrics" / f"{name}.json").read_text(encoding="utf-8"))


def test_quality_has_the_promised_keys(run):
    quality = _metrics(run, "quality")
    for dataset, measure in MEASURES.items():
        for method in (*DECODED, "base"):
            assert 0 <= quality[f"{dataset}.{method}.{measure}"] <= 1
        low, high = (quality[f"{dataset}.parallel.{measure}_{end}"] for end in ("low", "high"))
        assert low <= quality[f"{dataset}.parallel.{measure}"] <= high
        for key in (f"parallel.{measure}_swapped_context", f"chance.{measure}"):
            assert f"{dataset}.{key}" in quality
        for other in ("sequential", "base"):
            assert f"{dataset}.parallel_minus_{other}.{measure}_low" in quality
    assert quality["squad.parallel.n"] >= 18


def test_loss_is_measured_at_every_branch_count(run):
    losses = _metrics(run, "loss")
    assert {f"loss.branches_{count}" for count in (1, 2, 4, 8, 16, 32, 64)} <= losses.keys()


def test_benchmark_covers_methods_and_branches(run):
    rates = _metrics(run, "benchmark")
    assert all(rates[f"benchmark.{method}.branches_{n}.tokens_per_s"] > 0 for method in METHODS for n in (1, 2))


def test_no_gap_is_left_in_the_report(run):
    page = (run / "data" / "report" / "report.html").read_text(encoding="utf-8")
    kept_by_hand = ("dvc exp", "pmind benchmark", "pmind evaluate", "make ablations")  # these runs are no stage's
    for command in kept_by_hand:
        page = page.replace(f"Nothing here yet: run <code>{command}", "")
    assert "Nothing here yet: run" not in page


def test_checkpoints_are_gone_when_the_model_is_there(run):
    assert not list((run / "checkpoints").rglob("*.safetensors"))


def test_every_answer_has_its_row_and_its_times(run):
    for dataset in MEASURES:
        answers = run / "data" / "answers" / dataset
        asked = {q.id for group in read_groups(run / "data/groups" / dataset / "test.jsonl") for q in group.questions}
        for method in (*DECODED, "base"):
            rows, times = read_rows(answers / f"{method}.parquet"), read_times(answers / f"{method}.times.parquet")
            assert {row.question_id for row in rows} == {entry.question_id for entry in times} == asked
            assert {row.dataset for row in rows} == {dataset}


def test_the_pipeline_lists_every_file_that_evaluation_reads(run):
    """A stage's dependencies and what the stage before it writes are spelt twice in dvc.yaml."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    listed = {dep for dep in stages["evaluate"]["deps"] if dep.startswith("data/answers/")}
    assert listed == {f"data/answers/{dataset}/{method}.parquet" for dataset in MEASURES for method in evaluate.METHODS}
    written = {str(path.relative_to(run)) for path in (run / "data" / "answers").rglob("*.parquet")}
    assert listed <= written


def test_every_stage_of_the_pipeline_names_an_existing_command_and_section():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name, stage in stages.items():
        words = stage["cmd"].split()
        module = words[words.index("-m") + 1]
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), name


def test_every_swept_key_is_in_the_params_file():
    document = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    named = {key for stage in stages.values() for key in stage.get("params", []) if "$" not in key}
    for key in named:
        section, _, name = key.partition(".")
        assert section in document and (not name or name in document[section]), key


def test_the_command_line_has_the_promised_commands():
    assert {command.callback.__name__ for command in app.registered_commands} >= {"ask", "layout", "results", "keep"}
