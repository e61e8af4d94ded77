"""Time every method at every number of branches."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from pmind.benchmark.conditions import describe
from pmind.benchmark.harness import run_benchmark
from pmind.benchmark.rows import flat_metrics
from pmind.benchmark.workload import Workload
from pmind.decoding.decoder import ParallelDecoder
from pmind.params import BenchmarkParams, RunParams, load_section
from pmind.stage import run_stage, write_metrics


def main(
    model: Annotated[Path, typer.Argument(help="Folder of the checkpoint, e.g. data/models/squad.")],
    metrics: Annotated[Path, typer.Argument(help="File to write, e.g. metrics/benchmark.json.")],
    conditions: Annotated[Path, typer.Argument(help="File to write, e.g. metrics/benchmark_conditions.json.")],
    *,
    params: Annotated[Path, typer.Option(help="Parameters of the pipeline.")] = Path("params.yaml"),
) -> None:
    """Benchmark MODEL on random tokens; write METRICS, and the CONDITIONS that they hold under.

    Example: python -m stages.benchmark data/models/squad metrics/benchmark.json metrics/benchmark_conditions.json
    """
    config, run = load_section(params, "benchmark", BenchmarkParams), load_section(params, None, RunParams)
    torch.set_num_threads(run.threads)
    decoder = ParallelDecoder.from_pretrained(model)
    workload = Workload(config.context_tokens, config.prompt_tokens, config.answer_tokens, run.seed)
    rows = run_benchmark(model, decoder, workload, config.branches, repeats=config.repeats)
    write_metrics(metrics, flat_metrics(rows))
    write_metrics(conditions, describe(decoder, str(model), workload, config.repeats))


if __name__ == "__main__":
    run_stage(main)
