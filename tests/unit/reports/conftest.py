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


def benchmark():
    rates = {"parallel": lambda n: 300.0 * n, "sequential": lambda n: 300.0, "batch": lambda n: 150.0 * n}
    return {
        f"benchmark.{method}.branches_{count}.{key}": value
        for method, rate in rates.items()
        for count in (1, 2, 16)
        for key, value in {"tokens_per_s": rate(count), "ttft_s": 0.02, "kv_bytes": 2**20 * count}.items()
    }


def losses(slope):
    return {f"loss.branches_{count}": 1.4 + slope * count for count in (1, 2, 4, 8, 16)} | {"loss.tax_16": 15 * slope}


FILES = {
    "quality": quality(0.974),
    "loss": losses(0.001),
    "benchmark": benchmark(),
    "benchmark_conditions": {"cpu": "a <b> CPU", "threads": 2, "dtype": "float32"},
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
