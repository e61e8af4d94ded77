"""pmind benchmark: time ways of answering a group."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from pmind.commands.lists import numbers, words
from pmind.params import DtypeName
from pmind.stage import INTERRUPT_EXIT

DEFAULT_METHODS = "sequential,sequential_cached,batch,batch_cached,parallel"
LOAD_GROUPS, LOAD_AT_A_TIME = 24, 4  # groups of the load test, and most of them decoded together


def benchmark(
    model: Annotated[str, typer.Option(help="Folder, Hub id, or a preset with random weights; see below.")],
    context: Annotated[int, typer.Option(min=0, help="Tokens of the context.")] = 1024,
    prompt: Annotated[int, typer.Option(min=1, help="Tokens of every prompt.")] = 16,
    answer: Annotated[int, typer.Option(min=2, help="Tokens of every answer; stop tokens do not end one.")] = 32,
    branches: Annotated[str, typer.Option(help="Questions of the group, separated by commas.")] = "1,8,16",
    methods: Annotated[str, typer.Option(help="What to time, separated by commas; see below.")] = DEFAULT_METHODS,
    dtype: Annotated[DtypeName, typer.Option(help="Of weights and cache.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; torch's choice when left out.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs of each row, after one warm-up.")] = 5,
    memory: Annotated[bool, typer.Option(help="Measure peak memory, each row once more in its own process.")] = True,
    load: Annotated[str, typer.Option(help="Also serve a stream of groups, at these shares of capacity.")] = "",
    url: Annotated[str, typer.Option(help="Address of the method server, such as http://127.0.0.1:8000/v1.")] = "",
    seed: Annotated[int, typer.Option(help="Of random tokens and random weights.")] = 1,
    out: Annotated[Path | None, typer.Option(help="Keep the JSON here, too, after every round of repeats.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")] = False,
) -> None:
    """Time ways of answering a group, interleaved in one run.

    Presets: tiny, minimind-26m, minimind-104m, qwen2.5-0.5b, qwen2.5-1.5b, qwen2.5-7b, llama-3-8b.

    Methods: parallel, parallel_columnar, sequential_cached and no_attention are ours; sequential, batch,
    batch_cached and all_in_one are transformers' generate; openvino, llamacpp and vllm run where
    they are installed; server speaks the OpenAI completions API at --url.

    Example: pmind benchmark --model minimind-26m --branches 1,8 --methods sequential,batch_cached,parallel
    """
    import torch

    from pmind.benchmark.harness import Plan, Result, run_benchmark, run_load_test
    from pmind.benchmark.load import Stream
    from pmind.benchmark.terminal import print_load, print_rows
    from pmind.benchmark.workload import Workload

    plan = Plan(
        model=model,
        workload=Workload(context, prompt, answer, seed),
        branches=numbers("branches", branches, int),
        methods=words(methods),
        dtype=dtype,
        device=device,
        threads=threads or torch.get_num_threads(),
        repeats=repeats,
        memory=memory,
        url=url,
    )

    def report(result: Result) -> dict[str, Any]:
        rows = [dataclasses.asdict(row) for row in result.rows]
        return {"rows": rows, "conditions": result.conditions, "failures": result.failures}

    def save(content: dict[str, Any]) -> None:
        if out:
            out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")

    result = run_benchmark(plan, on_round=lambda result: save(report(result)))
    content = report(result)
    if load and not result.interrupted:
        stream = Stream(LOAD_GROUPS, max(plan.branches), LOAD_AT_A_TIME, numbers("load", load, float))
        content["load"] = run_load_test(plan, stream)
    save(content)
    if as_json:
        print(json.dumps(content))
    else:
        print_rows(result)
        if "load" in content:
            print_load(content["load"])
    for failure in result.failures:
        print(f"not measured: {failure}", file=sys.stderr)
    if result.interrupted:
        print("interrupted: the rows hold what was timed until then", file=sys.stderr)
        raise typer.Exit(INTERRUPT_EXIT)
    if result.failures:
        raise typer.Exit(1)
