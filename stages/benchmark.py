"""Time every method at every number of branches, then a stream of groups."""

from pathlib import Path
from typing import Annotated

import typer

from pmind.benchmark.harness import Plan, Result, run_benchmark, run_load_test
from pmind.benchmark.load import Stream
from pmind.benchmark.rows import flat_metrics
from pmind.benchmark.workload import Workload
from pmind.params import BenchmarkParams, RunParams, load_section
from pmind.stage import run_stage, write_metrics


def main(
    metrics: Annotated[Path, typer.Argument(help="File to write, e.g. metrics/benchmark.json.")],
    conditions: Annotated[Path, typer.Argument(help="File to write, e.g. metrics/benchmark_conditions.json.")],
    load: Annotated[Path, typer.Argument(help="File to write, e.g. metrics/load.json.")],
    *,
    params: Annotated[Path, typer.Option(help="Parameters of the pipeline.")] = Path("params.yaml"),
) -> None:
    """Benchmark a model on random tokens; write METRICS, the CONDITIONS that they hold under, and LOAD.

    Example: python -m stages.benchmark metrics/benchmark.json metrics/benchmark_conditions.json metrics/load.json
    """
    config, run = load_section(params, "benchmark", BenchmarkParams), load_section(params, None, RunParams)
    plan = Plan(
        model=config.model,
        workload=Workload(config.context_tokens, config.prompt_tokens, config.answer_tokens, run.seed),
        branches=config.branches,
        methods=config.methods,
        dtype=config.dtype,
        device=config.device,
        threads=run.threads,
        repeats=config.repeats,
        memory=config.memory,
    )

    def keep(result: Result) -> None:  # after every round, so that an interrupted benchmark leaves its rows
        write_metrics(metrics, flat_metrics(result.rows))
        write_metrics(conditions, result.conditions)

    result = run_benchmark(plan, on_round=keep)
    keep(result)
    for failure in result.failures:
        typer.echo(f"not measured: {failure}", err=True)
    if result.interrupted:
        raise KeyboardInterrupt
    stream = Stream(config.load_groups, config.load_branches, config.load_max_groups, config.load_shares)
    write_metrics(load, run_load_test(plan, stream))


if __name__ == "__main__":
    run_stage(main)
