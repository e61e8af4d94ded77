"""Load a dataset and write its question groups."""

from pathlib import Path
from typing import Annotated

import typer

from pmind.corpora.tokenizer import token_counter, token_cutter
from pmind.models.loading import load_tokenizer
from pmind.params import RunParams, TaskParams, load_section
from pmind.stage import run_stage, write_metrics
from pmind.tasks.grouping import Tokens, fit_groups
from pmind.tasks.loading import TaskName, load_task
from pmind.tasks.records import QuestionGroup, write_groups
from pmind.tasks.swapping import swap_contexts


def main(
    dataset: Annotated[TaskName, typer.Argument(help="Section of the params file.")],
    tokenizer: Annotated[Path, typer.Argument(help="Folder of the tokenizer, e.g. data/tokenizer.")],
    out: Annotated[Path, typer.Argument(help="Folder to write, e.g. data/groups/squad.")],
    metrics: Annotated[Path, typer.Argument(help="File to write, e.g. metrics/group/squad.json.")],
    *,
    params: Annotated[Path, typer.Option(help="Parameters of the pipeline.")] = Path("params.yaml"),
) -> None:
    """Write OUT/train.jsonl, test.jsonl, test_swapped.jsonl (another group's context) and METRICS.

    Example: python -m stages.group squad data/tokenizer data/groups/squad metrics/group/squad.json
    """
    seed = load_section(params, None, RunParams).seed
    config = load_section(params, dataset, TaskParams)
    reader = load_tokenizer(tokenizer)
    tokens = Tokens(token_counter(reader), token_cutter(reader))
    task = load_task(config, seed)
    train, train_stats = _fit(task.train, config.train_groups, config, tokens, seed)
    test, test_stats = _fit(task.test, config.test_groups, config, tokens, seed)
    swapped = swap_contexts(test, seed)
    write_groups(out / "train.jsonl", train)
    write_groups(out / "test.jsonl", test)
    write_groups(out / "test_swapped.jsonl", swapped)
    stats = {"train": train_stats, "test": test_stats, "test_swapped": {"groups": len(swapped)}}
    values = {f"{dataset}.{split}.{key}": value for split, numbers in stats.items() for key, value in numbers.items()}
    write_metrics(metrics, values | {f"{dataset}.dropped_{reason}": count for reason, count in task.dropped.items()})


def _fit(
    groups: list[QuestionGroup], most: int, config: TaskParams, tokens: Tokens, seed: int
) -> tuple[list[QuestionGroup], dict[str, float]]:
    return fit_groups(
        groups,
        min_questions=config.min_questions,
        max_questions=config.max_questions,
        max_context_tokens=config.max_context_tokens,
        max_groups=most,
        tokens=tokens,
        seed=seed,
        long_contexts=config.long_contexts,
    )


if __name__ == "__main__":
    run_stage(main)
