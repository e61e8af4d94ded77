"""Answer a dataset's test questions with one method."""

from pathlib import Path
from typing import Annotated

import torch
import typer

from pmind.decoding.decoder import ParallelDecoder
from pmind.evaluation.answering import answer_questions
from pmind.evaluation.rows import write_rows
from pmind.params import DecodeParams, GeometryParams, RunParams, load_section
from pmind.stage import run_stage
from pmind.tasks.records import read_groups


def main(
    dataset: Annotated[str, typer.Argument(help="Name of the dataset, heads the progress bar.")],
    method: Annotated[str, typer.Argument(help="Way of answering: parallel, sequential or batch.")],
    model: Annotated[Path, typer.Argument(help="Folder of the checkpoint, e.g. data/models/squad.")],
    groups: Annotated[Path, typer.Argument(help="Questions, e.g. data/groups/squad/test.jsonl.")],
    out: Annotated[Path, typer.Argument(help="Rows to write, e.g. data/answers/squad/parallel.jsonl.")],
    *,
    params: Annotated[Path, typer.Option(help="Parameters of the pipeline.")] = Path("params.yaml"),
) -> None:
    """Answer the questions in GROUPS with METHOD and write one row a question to OUT.

    The checkpoint decides on rotary embedding, alignment and visibility; other ones in the params are an error.

    Example: python -m stages.decode squad parallel data/models/squad data/groups/squad/test.jsonl
    data/answers/squad/parallel.jsonl
    """
    run, geometry = load_section(params, None, RunParams), load_section(params, None, GeometryParams)
    config = load_section(params, "decode", DecodeParams)
    torch.set_num_threads(run.threads)
    questions = read_groups(groups)
    requested = {"visibility": geometry.visibility} | vars(geometry)  # named first: alignment "auto" follows from it
    decoder = ParallelDecoder.from_pretrained(model, **requested)
    rows = answer_questions(
        decoder,
        method,
        questions,
        max_new_tokens=config.max_new_tokens,
        branches=run.branches,
        max_groups=config.max_groups,
        title=f"{dataset} {method}",
    )
    write_rows(out, rows)


if __name__ == "__main__":
    run_stage(main)
