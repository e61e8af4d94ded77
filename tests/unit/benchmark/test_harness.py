import json

import pytest
import yaml

from pmind.benchmark.harness import run_benchmark
from pmind.benchmark.workload import Workload
from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import DecodingError
from pmind.reports.metrics import read_metrics
from stages.benchmark import main

PARAMS = {
    "seed": 1,
    "threads": 1,
    "base_model": "tiny",
    "branches": 8,
    "benchmark": {"branches": [1, 2], "context_tokens": 9, "prompt_tokens": 3, "answer_tokens": 4, "repeats": 1},
}


def test_a_lossless_model_gives_the_same_tokens_with_every_method(folder):
    decoder = ParallelDecoder.from_pretrained(folder)
    rows = run_benchmark(folder, decoder, Workload(9, 3, 6), [3, 3], repeats=1, methods=("sequential", "parallel"))
    assert [(row.method, row.branches) for row in rows] == [("sequential", 3), ("parallel", 3)]
    assert [row.tokens_equal_sequential for row in rows] == [1.0, 1.0]


def test_without_branch_counts_there_is_nothing_to_measure(folder):
    with pytest.raises(DecodingError, match="nothing to measure"):
        run_benchmark(folder, ParallelDecoder.from_pretrained(folder), Workload(9, 3, 6), [], repeats=1)


def test_the_stage_writes_what_the_report_reads(columnar_folder, tmp_path):
    params, metrics = tmp_path / "params.yaml", tmp_path / "metrics"
    params.write_text(yaml.safe_dump(PARAMS), encoding="utf-8")
    main(columnar_folder, metrics / "benchmark.json", metrics / "benchmark_conditions.json", params=params)
    timings = read_metrics(metrics).timings()
    assert list(timings) == [(method, count) for method in ("parallel", "sequential", "batch") for count in (1, 2)]
    assert timings["sequential", 2]["tokens_equal_sequential"] == 1.0
    assert {"tokens_per_s", "questions_per_s", "ttft_s", "column_ms", "kv_bytes"} <= timings["parallel", 2].keys()
    conditions = json.loads((metrics / "benchmark_conditions.json").read_text(encoding="utf-8"))
    assert (conditions["visibility"], conditions["alignment"], conditions["rope_2d_ratio"]) == (
        "columnar",
        "right",
        0.5,
    )
    assert (conditions["context_tokens"], conditions["threads"], conditions["dtype"]) == (9, 1, "float32")
    assert conditions["cpu"]
