"""pmind compare: every method on every dataset, one table."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pmind.commands.lists import numbers, words
from pmind.commands.tables import deliver
from pmind.errors import ParamsError
from pmind.params import LongContexts

if TYPE_CHECKING:
    from pmind.remote.usage import Prices

DEFAULT_METHODS = (
    "sequential,multi_turn,batch,all_in_one,collab_llm,collab_bert,collab_heuristic,"
    "finetuned,lora_lmhead,collab_hidden,lora_crossbatch,parallel"
)


def compare(
    datasets: Annotated[list[str], typer.Argument(help="NAME=FILE, or NAME alone for its Hub id or built-in data.")],
    model: Annotated[str, typer.Option(help="Model folder or Hub id.")] = "",
    engine: Annotated[Literal["pmind", "vllm"], typer.Option(help="Who runs the model in this process.")] = "pmind",
    url: Annotated[str, typer.Option(help="Ask an OpenAI-compatible server instead; key in PMIND_API_KEY.")] = "",
    api_model: Annotated[str, typer.Option(help="The model's name there.")] = "",
    completions: Annotated[bool, typer.Option("--completions", help="Text completions, no chat.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Most requests under way at once.")] = 8,
    prices: Annotated[str, typer.Option(help="USD for a million tokens read and written, such as 0.3,1.2.")] = "",
    methods: Annotated[str, typer.Option(help="Ways of answering, separated by commas.")] = DEFAULT_METHODS,
    instruction: Annotated[str, typer.Option(help="Heads every question, for models that follow one.")] = "",
    checkpoints: Annotated[
        Path | None, typer.Option(help="Folder of models that crossbatch.train made, for the methods that need one.")
    ] = None,
    encoder: Annotated[str, typer.Option(help="Encoder folder or Hub id, for collab_bert.")] = "",
    branches: Annotated[int, typer.Option(min=1, help="Most questions decoded together.")] = 8,
    groups: Annotated[int, typer.Option(min=1, help="Most groups of a dataset; of more a seeded sample.")] = 50,
    min_questions: Annotated[int, typer.Option(min=1, help="Smaller groups are left out.")] = 2,
    max_questions: Annotated[int, typer.Option(min=1, help="Larger groups are cut into several.")] = 8,
    max_context_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of a context.")] = 4096,
    long_contexts: Annotated[LongContexts, typer.Option(help="What happens to longer ones; counted.")] = "drop",
    max_new_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens of an answer; the dataset's.")] = None,
    max_groups: Annotated[int, typer.Option(min=1, help="Groups under way at a time; 1 times each alone.")] = 1,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Least of a dependency between questions.")
    ] = 0.35,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, float16 or float64.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; torch's choice when left out.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of samples.")] = 1,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Level of the intervals.")] = 0.95,
    out: Annotated[Path, typer.Option(help="Folder for answers and the table.")] = Path("data/comparisons"),
    keep: Annotated[Path | None, typer.Option(help="Write the table here, too.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Answer every dataset's questions in every way; print quality, differences to sequential, time and tokens.

    What cannot be run is skipped, and said. A run that was stopped goes on where it was; under torchrun,
    processes share the groups. A server is never asked twice for the same answer.

    Example: pmind compare squad=dev-v1.1.json race=dev_middle.jsonl.xz --model data/models/squad --groups 20
    """
    from pmind.evaluation.contest import print_contest, run_contest
    from pmind.evaluation.engine_teams import remote_team, vllm_team
    from pmind.evaluation.preparing import asked_of, prepare
    from pmind.evaluation.processes import join_processes
    from pmind.evaluation.teams import Collaborators, LocalTeam

    if bool(model) == bool(url):
        raise ParamsError("name either a model with --model, or a server with --url and --api-model")
    if url and engine != "pmind":
        raise ParamsError(f"--engine {engine} runs a --model in this process; leave one of --engine and --url out")
    sizes = {"test_groups": groups, "min_questions": min_questions, "max_questions": max_questions}
    sizes |= {"max_context_tokens": max_context_tokens, "long_contexts": long_contexts}
    chosen = Collaborators(encoder, min_confidence, device)
    if url:
        kept = out / "replies.sqlite"
        team = remote_team(url, api_model, kept, not completions, workers, _prices(prices), chosen)
    elif engine == "vllm":
        team = vllm_team(model, dtype, device, threads, branches * max_groups, chosen)
    else:
        team = LocalTeam(model, dtype, device, threads, checkpoints, chosen)
    content: dict[str, Any] = {"rows": [], "groups": {}, "skipped": {}}
    with join_processes() as processes:
        for entry in datasets:
            name, _, source = entry.partition("=")
            asked = asked_of(name, source, **sizes)
            names, skipped = team.methods(words(methods), name)
            for method, reason in skipped.items():
                print(f"{name}: {method} is left out: {reason}", file=sys.stderr)
            if not names:
                raise ParamsError(f"{name}: no method is left to run")
            prepared = prepare(asked, seed, team.texts, max_new_tokens, instruction)
            contestants = [team.contestant(method, asked, prepared, max_groups) for method in names]
            rows = run_contest(prepared, contestants, out, processes, branches=branches, confidence=confidence)
            content["rows"] += [{"model": team.name, "dataset": name, **row} for row in rows]
            content["groups"][name], content["skipped"][name] = prepared.counts, skipped
        if not processes.first:
            return
        content["conditions"] = team.conditions() | {
            "instruction": instruction,
            "max_context_tokens": max_context_tokens,
            "long_contexts": long_contexts,
            "max_groups": max_groups,
            "confidence": confidence,
        }
    deliver(content, out / "comparison.json", keep, None if as_json else print_contest)


def _prices(text: str) -> "Prices | None":
    from pmind.remote.usage import Prices

    found = numbers("prices", text, float) if text else ()
    if len(found) not in (0, 2):
        raise ParamsError(f"--prices takes two numbers, of tokens read and of tokens written; not {text!r}")
    return Prices(*found) if found else None
