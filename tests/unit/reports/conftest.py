"""A metrics folder as a finished pipeline leaves it, with made-up numbers."""

import itertools
import json

import pytest

METHODS = ("parallel", "sequential", "batch", "base")
PAIRS = {"parallel_minus_sequential": -0.001, "parallel_minus_base": 0.6}
TEXT_SCORES = {"squad": ("lenient",), "cmb": ("rougeL", "bleu4")}


def quality(right):
    metrics = {"interval.confidence": 0.95}
    for dataset, measures in {"squad": ("em", "f1"), "cmb": ("em", "f1", "accuracy")}.items():
        scored = (*measures, *TEXT_SCORES[dataset])
        estimates = {f"{method}.{measure}": right for method in METHODS for measure in scored}
        estimates |= {f"{pair}.{measure}": value for pair, value in PAIRS.items() for measure in scored}
        estimates |= {f"parallel.{measure}_swapped_context": 0.034 for measure in measures}
        for key, value in estimates.items():
            ends = {"": value, "_low": value - 0.01, "_high": value + 0.01}
            metrics |= {f"{dataset}.{key}{end}": number for end, number in ends.items()}
        for method in METHODS:
            metrics |= {f"{dataset}.{method}.n": 612, f"{dataset}.{method}.groups": 120}
            metrics |= {f"{dataset}.{method}.documents": 60}
        metrics |= {f"{dataset}.chance.{measure}": 0.25 for measure in measures if measure != "f1"}
    metrics |= {f"cmb.{method}.corpus_bleu4": 0.5 for method in METHODS}
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


CELLS = {("sequential", 1): 1.0, ("parallel", 4): 3.5, ("parallel", 8): 6.0, ("batch", 4): 2.0, ("batch", 8): 3.0}


def evaluation(dataset, measures, *, model="tiny", cells=CELLS, groups=None, **conditions):
    """A run of ``pmind evaluate``: MEASURES with their values, CELLS with how many times faster than sequential."""
    rows = [evaluated(dataset, measures, model, *cell, gain) for cell, gain in cells.items()]
    told = {"model": model, "dataset": dataset, "parameters": 260032, "visibility": "isolated", "confidence": 0.95}
    told |= {"own_prompts": False, "source": f"{dataset}.json", "dtype": "float32", "device": "cpu", "threads": 2}
    told |= {"max_questions": 8, "max_context_tokens": 300, "max_new_tokens": 32, "processes": 1, "repeats": 3}
    return {"rows": rows, "groups": groups or {}, "conditions": told | conditions}


def evaluated(dataset, measures, model, method, branches, gain):
    row = {"model": model, "dataset": dataset, "method": method, "branches": branches}
    row |= {"groups": 12, "questions": 48, "documents": 11, "tokens": 192, "seconds": 2 / gain, "prefill_s": 1 / gain}
    row |= {"tokens_per_s": 96 * gain, "questions_per_s": 24 * gain}
    if method != "sequential":
        row |= {"speedup": gain, "same_answers": 0.75}
    for measure, value in measures.items():
        row |= {measure: value, f"{measure}_low": value - 0.1, f"{measure}_high": value + 0.1, f"{measure}_n": 48}
        if method != "sequential":
            name = f"{measure}_minus_sequential"
            row |= {name: -0.02, f"{name}_low": -0.05, f"{name}_high": 0.01, f"{name}_p": 0.1234}
    return row | {"answers": f"{method}-{branches}.parquet", "answers_sha256": f"{branches}{gain}".ljust(64, "a")}


DROPPED = {"groups": 12, "dropped_small_groups": 0, "dropped_long_contexts": 1329, "truncated_contexts": 2}


COUNTS = (1, 2, 4, 8, 16)
POSITIONS = {"0_7": 0.5, "8_31": 0.1, "32_127": -0.2}  # of a branch -> above the mean loss


def losses(slope, start=1.4):
    return {f"loss.branches_{count}": start + slope * count for count in COUNTS}


def position_losses(slope):
    return {
        f"loss.positions_{at}.branches_{count}": 1.4 + above + slope * count
        for at, above in POSITIONS.items()
        for count in COUNTS
    }


def trial(label, setting, seed, slope, baseline=False, **metrics):
    """A row of a sweep; the seeds' losses start at 1.0, 1.1, 1.2, …"""
    measured = losses(slope, 0.9 + seed / 10) | metrics
    row = {"label": label, "setting": setting, "seed": seed, "baseline": baseline, "metrics": measured}
    return row | {"against": "single branch"}


def sweep(name, cells, *, seeds=(1, 2, 3), **changes):
    """A file of ``make ablations``: CELLS are label, setting, slope, and whether it is a baseline."""
    rows = [trial(label, setting, seed, slope, baseline) for label, setting, slope, baseline in cells for seed in seeds]
    told = {"model": "tiny", "steps": 200, "seeds": len(seeds)}
    return {"sweep": name, "title": f"About {name}", "preset": "cpu", "conditions": told, "rows": rows} | changes


def scored(content):
    """The sweep with scores after fine-tuning, which differ from seed to seed."""
    for row in content["rows"]:
        off = row["seed"] / 100
        row["metrics"] |= {"squad.parallel.em": 0.9 + off, "squad.parallel.em_low": 0.8, "squad.parallel.f1": 0.9}
        row["metrics"] |= {"squad.sequential.em": 0.94 + off, "squad.finetune.loss": 0.05, "squad.parallel.n": 300}
    return content


SINGLE = ("single branch", {"pretrain.max_branches": 1}, 0.1, True)
RATIO = [(str(ratio), {"rope_2d_ratio": ratio}, ratio / 100, False) for ratio in (0.0, 0.25, 0.5)]
GRID = [
    (f"{ratio} {placement} {stride}", setting | {"branch_encoding": "replace"}, slope / 1000, False)
    for slope, (ratio, placement, stride) in enumerate(itertools.product((0.25, 0.5), ("low", "high"), (1, 16)))
    for setting in [{"rope_2d_ratio": ratio, "pair_placement": placement, "branch_stride": stride}]
]
MODEL = {
    "name": "minimind-26m on some text",
    "command": "pmind train | tee log",
    "conditions": {
        "base_model": "minimind-26m",
        "label_tokens": 100_000_000,
        "device": "a <b> GPU",
        "versions": {"torch": "2.13"},
    },
    "metrics": losses(0.01, 2.4)
    | {"baseline.loss.branches_1": 2.4, "squad.parallel.em": 0.4, "squad.parallel.em_low": 0.38}
    | {"squad.parallel.em_high": 0.42, "squad.sequential.em": 0.41, "race.parallel.accuracy": 0.3}
    | {
        f"squad.parallel_minus_sequential.em{end}": value for end, value in (("", -0.01), ("_low", -0.02), ("_high", 0))
    },
}
COST = {
    "rows": [
        {"way": "causal", "branches": 1, "seconds": 0.5, "tokens_per_s": 8192.0, "ratio": 1.0, "peak_share": 0.4},
        {"way": "columnar", "branches": 8, "seconds": 0.55, "tokens_per_s": 7447.0, "ratio": 1.1, "peak_share": 0.36},
    ],
    "conditions": {"model": "minimind-26m", "dtype": "bfloat16", "device": "some GPU", "rows": 4, "tokens": 1024},
}

FILES = {
    "quality": quality(0.974),
    "loss": losses(0.001) | position_losses(0.001),
    "benchmark": benchmark(),
    "benchmark_conditions": {
        **{"cpu": "a <b> CPU", "threads": 2, "dtype": "float32", "device": "cpu"},
        **{"context_tokens": 512, "model": "minimind-26m"},
    },
    "load": load(),
    "engines/one": engines(),
    "gpu/one": engines() | {"conditions": {"device": "some GPU", "model": "minimind-26m"}, "failures": []},
    "evaluations/squad": evaluation("squad", {"em": 0.5, "f1": 0.6, "lenient": 0.7}, groups=DROPPED),
    "evaluations/mmlu": evaluation("mmlu", {"accuracy": 0.25}, model="a <b> | model"),
    "evaluations/race": evaluation("race", {"accuracy": 0.25, "em": 0.0, "f1": 0.1}),
    "ablations/ratio": scored(sweep("ratio", [*RATIO, SINGLE])),
    "ablations/grid": sweep("grid", [*GRID, SINGLE]),
    "models/minimind-26m": MODEL,
    "training_cost/minimind-26m": COST,
    "groups_squad": {"squad.test.groups": 120},
    "groups_cmb": {"cmb.test.groups": 120},
    "pretrain": {"pretrain.loss": 1.5, "pretrain.tokens": 4130211},
    "finetune_squad": {"finetune.loss": 0.02},
    "finetune_cmb": {"finetune.loss": 0.03},
    "settings": {"rope_2d_ratio": 0.25, "visibility": "columnar", "base_model": "tiny"},
    "experiments/ratio-0/quality": quality(0.4),
    "experiments/ratio-0/loss": losses(0.1) | {"loss.tax_16": 1.5},  # as they were kept once
    "experiments/ratio-0/settings": {"rope_2d_ratio": 0.0, "visibility": "columnar", "base_model": "tiny"},
}


@pytest.fixture
def metrics_folder(tmp_path):
    for name, metrics in FILES.items():
        path = tmp_path / "metrics" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(metrics))
    return tmp_path / "metrics"
