"""A metrics folder as a finished pipeline leaves it, with made-up numbers."""

import json

import pytest

METHODS = ("parallel", "sequential", "batch")


def quality(right):
    metrics = {"interval.confidence": 0.95}
    for dataset, measures in {"squad": ("em", "f1"), "cmb": ("em", "f1", "accuracy")}.items():
        estimates = {f"{method}.{measure}": right for method in METHODS for measure in measures}
        estimates |= {f"parallel_minus_sequential.{measure}": -0.001 for measure in measures}
        estimates |= {f"parallel.{measure}_swapped_context": 0.034 for measure in measures}
        for key, value in estimates.items():
            ends = {"": value, "_low": value - 0.01, "_high": value + 0.01}
            metrics |= {f"{dataset}.{key}{end}": number for end, number in ends.items()}
        for method in METHODS:
            metrics |= {f"{dataset}.{method}.n": 612, f"{dataset}.{method}.groups": 120}
        metrics |= {f"{dataset}.chance.{measure}": 0.25 for measure in measures if measure != "f1"}
    return metrics | {f"cmb.{method}.accuracy_n": 500 for method in METHODS}


RATES = {
    "parallel": lambda n: 300.0 * n,
    "sequential": lambda n: 300.0,
    "batch": lambda n: 150.0 * n,
    "batch_cached": lambda n: 200.0 * n,
    "no_attention": lambda n: 400.0 * n,
}


def row(rate, branches):
    """Measures of 32-token answers written at RATE tokens a second, an eighth of the time spent on reading."""
    total = 32 * branches / rate
    return {
        "tokens_per_s": rate,
        "total_s": total,
        "prefill_s": total / 8,
        "ttft_s": 0.02,
        "column_ms": 4.0,
        "roofline_ms": 3.0,
        "roofline_share": 0.75,
        "kv_bytes": 2**20 * branches,
        "peak_memory_bytes": 2**21 * branches,
    }


def benchmark():
    return {
        f"benchmark.{method}.branches_{count}.{key}": value
        for method, rate in RATES.items()
        for count in (1, 2, 16)
        for key, value in row(rate(count), count).items()
    }


def load():
    measures = {"arrivals_per_s": 2.0, "questions_per_s": 15.0, "goodput_questions_per_s": 12.0}
    measures |= {f"{kind}_p{p}_s": p / 100 for kind in ("queue", "latency") for p in (50, 95, 99)}
    served = {"groups": 24, "branches": 8, "max_groups": 4, "deadline_s": 1.5, "one_group_s": 0.5}
    metrics = {f"load.{name}": value for name, value in served.items()} | {"load.capacity_questions_per_s": 20.0}
    return metrics | {f"load.at_{at}.{name}": value for at in (50, 100) for name, value in measures.items()}


def engines():
    told = {"tokens_equal_sequential": 1.0}
    rows = [
        {"method": method, "branches": count} | row(rate(count), count) | told
        for count in (1, 8)
        for method, rate in RATES.items()
    ]
    silent = {"column_ms": None, "prefill_s": None, "roofline_share": None, "tokens_equal_sequential": 0.5}
    rows.append({"method": "vllm", "branches": 8} | row(1200.0, 8) | silent)
    return {
        "rows": rows,
        "conditions": {
            **{"model": "minimind-26m", "dtype": "float32", "device": "cpu", "cpu": "some CPU", "threads": 1},
            **{"context_tokens": 1024, "version_vllm": "vLLM 0.11", "version_parallel": "pmind 0.1"},
            **{"version_batch": "transformers 5", "version_sequential": "transformers 5"},
        },
        "failures": ["vllm at 1 branches: out of\nmemory"],
    }


def losses(slope):
    return {f"loss.branches_{count}": 1.4 + slope * count for count in (1, 2, 4, 8, 16)} | {"loss.tax_16": 15 * slope}


FILES = {
    "quality": quality(0.974),
    "loss": losses(0.001),
    "benchmark": benchmark(),
    "benchmark_conditions": {
        **{"cpu": "a <b> CPU", "threads": 2, "dtype": "float32", "device": "cpu"},
        **{"context_tokens": 512, "model": "minimind-26m"},
    },
    "load": load(),
    "engines/one": engines(),
    "gpu/one": engines() | {"conditions": {"device": "some GPU", "model": "minimind-26m"}, "failures": []},
    "groups_squad": {"squad.test.groups": 120},
    "groups_cmb": {"cmb.test.groups": 120},
    "pretrain": {"pretrain.loss": 1.5, "pretrain.tokens": 4130211},
    "finetune_squad": {"finetune.loss": 0.02},
    "finetune_cmb": {"finetune.loss": 0.03},
    "settings": {"rope_2d_ratio": 0.25, "visibility": "columnar"},
    "experiments/ratio-0/quality": quality(0.4),
    "experiments/ratio-0/loss": losses(0.1),
    "experiments/ratio-0/settings": {"rope_2d_ratio": 0.0, "visibility": "columnar"},
}


@pytest.fixture
def metrics_folder(tmp_path):
    for name, metrics in FILES.items():
        path = tmp_path / "metrics" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(metrics))
    return tmp_path / "metrics"
