"""One row per answered question: what every number in a table can be traced back to."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from pmind.errors import DataError


@dataclass(frozen=True)
class AnswerRow:
    """What one method answered to one question. Holds no times: the same run writes the same rows.

    Attributes:
        question_id: unique within the file.
        group_id: the group that the question was decoded in.
        document: article or case of the context; intervals treat it as one unit.
        branch: branch number in the layout, from 1.
        method: way of answering (``parallel``, ``sequential``, ``batch``, ...).
        question: the question as a person would read it.
        references: accepted answers, never empty.
        text: the answer, stop token and trailing blanks removed.
        token_ids: generated tokens, without the stop token.
        finish_reason: why decoding ended.
        option_scores: log-likelihood of each option in nats, ``()`` for free text.
        correct: index of the right option, ``None`` for free text.
    """

    question_id: str
    group_id: str
    document: str
    branch: int
    method: str
    question: str
    references: tuple[str, ...]
    text: str
    token_ids: tuple[int, ...]
    finish_reason: str
    option_scores: tuple[float, ...] = ()
    correct: int | None = None


def write_rows(path: Path, rows: Iterable[AnswerRow]) -> None:
    """Write one JSON object a line.

    Raises:
        DataError: an option score is not a finite number.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as lines:
        for row in rows:
            lines.write(_line(row, path) + "\n")


def read_rows(path: Path) -> list[AnswerRow]:
    """Read what :func:`write_rows` wrote.

    Raises:
        DataError: the file is missing, a line is not an answer row, or a question comes twice.
    """
    rows: dict[str, AnswerRow] = {}
    for number, row in _parse_lines(path):
        if row.question_id in rows:
            raise DataError(f"{path}:{number}: question '{row.question_id}' comes twice. Run dvc repro decode again")
        rows[row.question_id] = row
    return list(rows.values())


def _line(row: AnswerRow, path: Path) -> str:
    try:
        return json.dumps(asdict(row), ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise DataError(f"{path}: question '{row.question_id}': an option score is not a finite number") from error


def _parse_lines(path: Path) -> Iterator[tuple[int, AnswerRow]]:
    if not path.is_file():
        raise DataError(f"{path}: no such file. Run the decode stage first: dvc repro decode")
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield number, _row(json.loads(line, parse_constant=_refuse_constant))
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path}:{number}: not an answer row ({error})") from error


def _row(record: dict[str, Any]) -> AnswerRow:
    lists = {name: tuple(record[name]) for name in ("references", "token_ids", "option_scores")}
    row = AnswerRow(**{**record, **lists})
    if not row.references:
        raise ValueError("no references")
    if row.option_scores and row.correct is None:
        raise ValueError("option_scores without correct")
    if row.correct is not None and not 0 <= row.correct < len(row.option_scores):
        raise ValueError(f"correct is {row.correct}, but there are {len(row.option_scores)} option_scores")
    return row


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")
