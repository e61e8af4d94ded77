"""pmind benchmark-training: time training on branches beside ordinary causal training."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pmind.commands.lists import numbers, words
from pmind.params import TrainingDtype


def benchmark_training(
    model: Annotated[str, typer.Option(help="Folder, Hub id, or a preset with random weights, see benchmark.")],
    tokens: Annotated[int, typer.Option(min=2, help="Tokens of a row, whatever it is cut into.")] = 1024,
    rows: Annotated[int, typer.Option(min=1, help="Rows of a batch.")] = 4,
    branches: Annotated[str, typer.Option(help="Texts a row is cut into, separated by commas.")] = "1,4,8,16,32",
    ways: Annotated[str, typer.Option(help="What to time beside causal, separated by commas.")] = "columnar,isolated",
    dtype: Annotated[TrainingDtype, typer.Option(help="bfloat16 is autocast over float32 weights.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; torch's choice when left out.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Timed rounds, after one warm-up.")] = 5,
    seed: Annotated[int, typer.Option(help="Of random tokens and random weights.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Keep the JSON here, too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Time forward and backward passes on rows of branches beside ordinary causal training.

    Ways: columnar, isolated, and dense, which is columnar by the reference. All of them learn from the
    same tokens and number of labels as causal, which is the stock model with torch's causal attention.

    Example: pmind benchmark-training --model minimind-26m --tokens 1024 --branches 8,16 --dtype bfloat16
    """
    import torch

    from pmind.benchmark.training import TrainingPlan
    from pmind.benchmark.training import benchmark_training as measure

    plan = TrainingPlan(
        model=model,
        ways=words(ways),
        branches=numbers("branches", branches, int),
        tokens=tokens,
        rows=rows,
        dtype=dtype,
        device=device,
        threads=threads or torch.get_num_threads(),
        repeats=repeats,
        seed=seed,
    )
    content = dataclasses.asdict(measure(plan))
    if out:
        out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if as_json:
        print(json.dumps(content))
    else:
        _print(content)


def _print(result: Mapping[str, Any]) -> None:
    table = Table("branches", "way", "seconds", "tokens/s", "times causal", "peak %", box=None)
    for column in table.columns[2:]:
        column.justify = "right"
    for row in result["rows"]:
        numbers = (f"{row['seconds']:.3f}", f"{row['tokens_per_s']:,.0f}", f"{row['ratio']:.3f}")
        table.add_row(str(row["branches"]), row["way"], *numbers, f"{100 * row['peak_share']:.0f}")
    console = Console(soft_wrap=True)
    console.print(table)
    told = result["conditions"]
    console.print(
        f"{told['model']}, {told['dtype']}, {told['rows']} rows of {told['tokens']} tokens, forward and backward; "
        f"{told['cpu']}, {told['threads']} threads, {told['device']}; multiplies {told['peak_gflops']} GFLOP/s; "
        f"medians of {told['repeats']}",
        highlight=False,
    )
