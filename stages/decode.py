"""Answer a dataset's test questions with one method."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from pmind.decoding.decoder import ParallelDecoder
from pmind.evaluation.answering import answer_questions, asking_for
from pmind.evaluation.rows import times_path, write_rows, write_times
from pmind.params import DecodeParams, GeometryParams, RunParams, TaskParams, load_section
from pmind.stage import run_stage
from pmind.tasks.catalog import find_dataset, grouping_of
from pmind.tasks.loading import TaskName
from pmind.tasks.records import read_groups


def main(
    dataset: Annotated[TaskName, typer.Argument(help="Section of the params file, names the dataset.")],
    method: Annotated[str, typer.Argument(help="Way of answering: parallel, sequential or batch.")],
    model: Annotated[Path, typer.Argument(help="Folder of the checkpoint, e.g. data/models/squad.")],
    groups: Annotated[Path, typer.Argument(help="Questions, e.g. data/groups/squad/test.jsonl.")],
    out: Annotated[Path, typer.Argument(help="Rows to write, e.g. data/answers/squad/parallel.parquet.")],
    *,
    params: Annotated[Path, typer.Option(help="Parameters of the pipeline.")] = Path("params.yaml"),
) -> None:
    """Answer the questions in GROUPS with METHOD, write one row a question to OUT, and their times beside it.

    The checkpoint decides on rotary embedding, alignment and visibility; other ones in the params are an error.

    Example: python -m stages.decode squad parallel data/models/squad data/groups/squad/test.jsonl
    data/answers/squad/parallel.parquet
    """
    run, geometry = load_section(params, None, RunParams), load_section(params, None, GeometryParams)
    config = load_section(params, "decode", DecodeParams)
    task = load_section(params, dataset, TaskParams)
    torch.set_num_threads(run.threads)
    questions = read_groups(groups)
    requested = {"visibility": geometry.visibility} | vars(geometry)  # named first: alignment "auto" follows from it
    decoder = ParallelDecoder.from_pretrained(model, grouping=grouping_of(task), **requested)
    answered = answer_questions(
        decoder,
        method,
        questions,
        asking_for(decoder, task.dataset, find_dataset(task.dataset)),
        max_new_tokens=config.max_new_tokens,
        branches=run.branches,
        max_groups=config.max_groups,
        title=f"{dataset} {method}",
    )
    write_rows(out, answered.rows)
    write_times(times_path(out), answered.times)


if __name__ == "__main__":
    run_stage(main)
