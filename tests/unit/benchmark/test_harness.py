import json
import re

import pytest
import yaml

from pmind.benchmark.harness import Plan, run_benchmark
from pmind.benchmark.models import model_folder
from pmind.benchmark.workload import Workload
from pmind.errors import DecodingError, ModelError
from pmind.models.loading import load_model
from pmind.reports.metrics import read_metrics
from stages.benchmark import main
from tests.unit.benchmark.conftest import OURS

WORK = Workload(context_tokens=9, prompt_tokens=3, answer_tokens=6)
PARAMS = {
    "seed": 1,
    "threads": 1,
    "base_model": "tiny",
    "branches": 8,
    "benchmark": {
        "model": "tiny",
        "methods": ["sequential", "parallel"],
        "branches": [1, 2],
        "context_tokens": 9,
        "prompt_tokens": 3,
        "answer_tokens": 4,
        "dtype": "float32",
        "device": "cpu",
        "repeats": 1,
        "memory": False,
        "load_groups": 3,
        "load_branches": 2,
        "load_max_groups": 2,
        "load_shares": [1.0],
    },
}


def plan(folder, **changes):
    defaults = {"workload": WORK, "branches": (3,), "methods": OURS, "threads": 1, "repeats": 1, "memory": False}
    return Plan(str(folder), **defaults | changes)


def test_a_lossless_model_gives_the_same_tokens_with_every_lossless_method(folder):
    rounds = []
    result = run_benchmark(plan(folder, repeats=2), on_round=rounds.append)
    assert [(row.method, row.branches) for row in result.rows] == [(method, 3) for method in OURS]
    equal = {row.method: row.tokens_equal_sequential for row in result.rows}
    lossless = {"sequential", "sequential_cached", "batch", "batch_cached", "parallel"}
    assert {method for method, share in equal.items() if share == 1.0} == lossless
    assert (len(rounds), result.failures) == (2, [])
    assert result.conditions["version_sequential"].startswith("transformers ")


def test_bytes_of_keys_and_values_are_those_predicted(folder):
    rows = run_benchmark(plan(folder, methods=("sequential_cached", "parallel"), branches=(1, 5))).rows
    assert [row.kv_bytes for row in rows] == [row.kv_bytes_predicted for row in rows]


def test_a_method_that_cannot_start_is_reported_and_the_others_go_on(folder):
    dead = plan(folder, methods=("server", "parallel"), url="http://127.0.0.1:9/v1")
    result = run_benchmark(dead)
    assert [row.method for row in result.rows] == ["parallel"]
    assert re.match(r"server: .*127\.0\.0\.1:9", result.failures[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"branches": ()}, "nothing to measure"),
        ({"branches": (0,)}, "nothing to measure"),
        ({"methods": ("paralel",)}, "unknown method 'paralel'"),
        ({"methods": ("server",)}, "pass --url"),
        ({"dtype": "int3"}, "unknown dtype 'int3'"),
    ],
)
def test_a_plan_that_cannot_be_measured_is_one_clear_line(folder, changes, message):
    with pytest.raises(DecodingError, match=message):
        run_benchmark(plan(folder, **changes))


def test_a_folder_without_weights_is_one_clear_line(folder, tmp_path):
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    with pytest.raises(DecodingError, match=r"no weights \(\*\.safetensors\)"):
        run_benchmark(plan(tmp_path))
    with pytest.raises(ModelError, match="no such folder"):
        run_benchmark(plan("no/such"))


def test_a_preset_has_the_same_random_weights_every_time():
    weights = []
    for _ in range(2):
        with model_folder("tiny", "float32", seed=7) as folder:
            weights.append(load_model(folder)[0].state_dict())
    assert weights[0].keys() == weights[1].keys()
    assert all((weights[0][name] == weights[1][name]).all() for name in weights[0])
    assert not folder.exists()


def test_a_preset_with_tied_embeddings_is_saved_with_one_matrix_for_both():
    with model_folder("tiny", "float32", seed=7) as folder:
        model, _ = load_model(folder)
    assert (model.lm_head.weight == model.get_input_embeddings().weight).all()


def test_the_stage_writes_what_the_report_reads(tmp_path):
    params, metrics = tmp_path / "params.yaml", tmp_path / "metrics"
    params.write_text(yaml.safe_dump(PARAMS), encoding="utf-8")
    files = [metrics / f"{name}.json" for name in ("benchmark", "benchmark_conditions", "load")]
    main(*files, params=params)
    timings = read_metrics(metrics).timings()
    assert set(timings) == {(method, count) for method in ("parallel", "sequential") for count in (1, 2)}
    assert timings["parallel", 2]["tokens_equal_sequential"] == 1.0
    assert {"tokens_per_s", "questions_per_s", "ttft_s", "column_ms", "kv_bytes"} <= timings["parallel", 2].keys()
    conditions, load = (json.loads(path.read_text(encoding="utf-8")) for path in files[1:])
    assert (conditions["context_tokens"], conditions["threads"], conditions["dtype"]) == (9, 1, "float32")
    assert conditions["cpu"]
    assert load["load.at_100.latency_p99_s"] > 0
