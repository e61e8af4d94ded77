"""pmind diff: two prediction files, question by question."""

import json
from pathlib import Path
from typing import Annotated

import typer


def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="Answers of one method (.parquet).")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Answers of the other to the same questions.")],
    limit: Annotated[int, typer.Option(min=0, help="Most differing questions to list.")] = 20,
    common_only: Annotated[bool, typer.Option(help="Compare the questions that are in both files.")] = False,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="Level of the intervals.")] = 0.95,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare two files of answers: every score's difference, and the questions that differ.

    Differences are paired by question; intervals and p-values are clustered by document.

    Example: pmind diff data/answers/squad/parallel.parquet data/answers/squad/sequential.parquet
    """
    from pmind.evaluation.diff import run_diff
    from pmind.evaluation.diff_text import format_diff
    from pmind.evaluation.scores import BOUNDS, scores_of

    found = run_diff(first, second, scores_of, limit, confidence=confidence, common_only=common_only, bounds=BOUNDS)
    print(json.dumps(found.to_dict(), ensure_ascii=False) if as_json else format_diff(found))
