"""pmind evaluate: answer a dataset with several methods and score them side by side."""

import hashlib
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pmind.commands.lists import numbers, words
from pmind.commands.tables import deliver
from pmind.errors import DataError
from pmind.params import GroupingChoice, LongContexts, VisibilityName

if TYPE_CHECKING:
    from pmind.evaluation.records import ScoreMore
    from pmind.tasks.dataset import Dataset


def evaluate(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset, see `pmind datasets`.")],
    model: Annotated[str, typer.Option(help="Model folder or Hub id.")],
    source: Annotated[
        str, typer.Option(help="File, folder or Hub id of the questions; the dataset's own Hub id.")
    ] = "",
    methods: Annotated[str, typer.Option(help="Ways of answering, separated by commas.")] = "sequential,batch,parallel",
    branches: Annotated[str, typer.Option(help="Most questions decoded together, separated by commas.")] = "8",
    groups: Annotated[int, typer.Option(min=1, help="Most groups; of more a seeded sample is taken.")] = 100,
    min_questions: Annotated[int, typer.Option(min=1, help="Smaller groups are left out.")] = 1,
    max_questions: Annotated[int, typer.Option(min=1, help="Larger groups are cut into several.")] = 8,
    grouping: Annotated[
        GroupingChoice, typer.Option(help="How questions come together; auto is the dataset's.")
    ] = "auto",
    similarity: Annotated[float, typer.Option(min=0, max=1, help="Least cosine similarity, --grouping similar.")] = 0.2,
    similarity_model: Annotated[str, typer.Option(help="Encoder for --grouping similar; TF-IDF when left out.")] = "",
    max_context_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of a context.")] = 4096,
    long_contexts: Annotated[LongContexts, typer.Option(help="What happens to longer ones; counted.")] = "drop",
    max_new_tokens: Annotated[int | None, typer.Option(min=1, help="Most tokens of an answer; the dataset's.")] = None,
    max_groups: Annotated[int, typer.Option(min=1, help="Most groups decoded together.")] = 1,
    visibility: Annotated[VisibilityName | None, typer.Option(help="Who sees whom; as trained.")] = None,
    dtype: Annotated[str, typer.Option(help="float32, bfloat16, float16 or float64.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; torch's choice when left out.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs of each row; seconds are their median.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of samples and random groups.")] = 1,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Level of the intervals.")] = 0.95,
    run_code: Annotated[bool, typer.Option("--run-code", help="HumanEval: run what the model wrote.")] = False,
    judge_url: Annotated[str, typer.Option(help="OpenAI-compatible endpoint that judges free text.")] = "",
    judge_model: Annotated[str, typer.Option(help="Its model.")] = "",
    out: Annotated[Path, typer.Option(help="Folder for answers, times and the table.")] = Path("data/evaluations"),
    keep: Annotated[
        Path | None, typer.Option(help="Write the table here, too: reports show metrics/evaluations/*.json.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
) -> None:
    """Answer a dataset's questions with every method, score them, and compare each with sequential.

    A run that was stopped goes on where it was. Under torchrun, processes share the groups.

    Example: pmind evaluate race --source dev_middle.jsonl.xz --model data/models/squad --methods sequential,parallel
    """
    import torch

    from pmind.decoding.decoder import ParallelDecoder
    from pmind.evaluation import suite
    from pmind.evaluation.answering import answer_questions
    from pmind.evaluation.conditions import describe
    from pmind.evaluation.preparing import prepare, resolve_source
    from pmind.evaluation.processes import join_processes
    from pmind.evaluation.records import summarise_cells
    from pmind.evaluation.table import print_evaluation
    from pmind.models.loading import resolve_folder
    from pmind.params import TaskParams
    from pmind.tasks.catalog import find_dataset, grouping_of
    from pmind.training.checkpoints import folder_digest

    if threads:
        torch.set_num_threads(threads)
    asked = TaskParams(
        dataset=dataset,
        source=resolve_source(dataset, source),
        test_source="",
        grouping=grouping,
        similarity=similarity,
        similarity_model=similarity_model,
        train_groups=1,
        test_groups=groups,
        min_questions=min_questions,
        max_questions=max_questions,
        max_context_tokens=max_context_tokens,
        long_contexts=long_contexts,
    )
    wanted = suite.cells(words(methods), numbers("branches", branches, int))
    decoder = ParallelDecoder.from_pretrained(
        model, dtype=dtype, device=device, visibility=visibility, grouping=grouping_of(asked)
    )
    prepared = prepare(asked, seed, decoder.texts, max_new_tokens)
    name = Path(model).name
    weights = folder_digest(resolve_folder(model))  # names alike, or a model trained anew: its answers are others
    settings = {"dtype": dtype, "device": device, "weights": weights, **vars(decoder.settings)}
    plan = suite.Plan(name, dataset, asked.source, settings, prepared.max_new_tokens)
    folder = out / dataset / name
    score_more = _score_more(find_dataset(dataset), asked.source, run_code, judge_url, judge_model, out)
    how = {"asking": prepared.asking, "max_new_tokens": prepared.max_new_tokens, "max_groups": max_groups}
    ask = partial(answer_questions, decoder, **how)
    with join_processes() as processes:
        answers = {
            cell: suite.answer_cell(
                ask, cell, prepared.groups, prepared.asking, plan, folder, processes, repeats=repeats
            )
            for cell in wanted
        }
        if not processes.first:
            return
        rows = list(summarise_cells(answers, confidence, score_more))
        content = {
            "rows": [{"model": name, "dataset": dataset, **row, **_trace(folder, row)} for row in rows],
            "groups": prepared.counts,
            "conditions": describe(decoder, plan, asked, repeats, confidence, processes.count),
        }
    deliver(content, folder / "evaluation.json", keep, None if as_json else print_evaluation)


def _trace(folder: Path, row: dict[str, Any]) -> dict[str, str]:
    """Which rows are behind a cell."""
    path = folder / f"{row['method']}-{row['branches']}.parquet"
    return {"answers": path.name, "answers_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def _score_more(
    dataset: "Dataset", source: str, run_code: bool, judge_url: str, judge_model: str, out: Path
) -> "ScoreMore":
    from pmind.evaluation import costly_scores

    if dataset.scoring == "humaneval" and run_code:
        return costly_scores.run_programs(source)
    if judge_url or judge_model:
        if not (judge_url and judge_model):
            raise DataError("a judge needs both --judge-url and --judge-model")
        return costly_scores.ask_judge(judge_url, judge_model, out / "judgements.sqlite")
    return lambda rows: {}
