"""One row per answered question, and its times apart: what every number in a table can be traced back to.

Both are Parquet files. Equal rows make equal bytes, so that a rerun of a stage that changes nothing
is seen to change nothing; a file appears only when it is complete.
"""

import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from pmind.errors import DataError

Row = TypeVar("Row", "AnswerRow", "QuestionTimes")

REMEDY = "Run the decode stage again: dvc repro decode"
FORMAT = {"compression": "zstd", "store_schema": False, "write_page_checksum": True}
KIND = "pmind.kind"  # key of a file's metadata
ROWS, TIMES = "answer rows, version 3", "question times, version 1"  # version 2 counted no tokens


@dataclass(frozen=True)
class AnswerRow:
    """What one method answered to one question. Holds no times: the same run writes the same rows.

    Attributes:
        question_id: unique within the file.
        group_id: the group that the question was decoded in.
        document: article or case of the context; intervals treat it as one unit.
        category: subject, level, ..., ``""`` when there is none.
        dataset: name of the dataset.
        scoring: name of how the dataset is scored.
        branch: branch number in the layout, from 1.
        method: way of answering (``parallel``, ``sequential``, ``batch``, ...).
        prompt: the branch's prompt as the model met it, without what a later round has at hand before it.
        question: the question as a person would read it.
        references: accepted answers, ``()`` when the question has none.
        options: texts of a multiple-choice question, else ``()``.
        correct: rising indices of the right options, several where several are right; ``()`` for free text.
        text: the answer, stop token and trailing blanks removed.
        token_ids: generated tokens, without the stop token.
        finish_reason: why decoding ended.
        columns: first and last column of the answer in the layout.
        option_scores: log-likelihood of each option in nats, ``()`` where they were not scored.
        prompt_tokens: read on the question's account; what several read together is on the first one's.
        new_tokens: generated, what ended the answer included.
        round: in which the method asked it, from 1.

    Raises:
        DataError: indices or scores do not fit the options, or a score is not a finite number.
    """

    question_id: str
    group_id: str
    document: str
    category: str
    dataset: str
    scoring: str
    branch: int
    method: str
    prompt: str
    question: str
    references: tuple[str, ...]
    options: tuple[str, ...]
    correct: tuple[int, ...]
    text: str
    token_ids: tuple[int, ...]
    finish_reason: str
    columns: tuple[int, int]
    option_scores: tuple[float, ...] = ()
    prompt_tokens: int = 0
    new_tokens: int = 0
    round: int = 1

    def __post_init__(self) -> None:
        reason = _contradiction(self)
        if reason:
            raise DataError(f"question '{self.question_id}': {reason}")


@dataclass(frozen=True)
class QuestionTimes:
    """When a question's answer began and ended, in seconds from the start of the pass it was decoded in.

    Raises:
        DataError: a time is negative or not finite, or the answer ends before it begins.
    """

    question_id: str
    first_token_s: float
    total_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.first_token_s <= self.total_s < math.inf:
            raise DataError(
                f"question '{self.question_id}': first_token_s {self.first_token_s} and total_s {self.total_s} "
                "are not two moments one after the other"
            )


def _column(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", kind, nullable=False))


SCHEMAS = {
    ROWS: pa.schema(
        [
            *(_column(name, pa.string()) for name in ("question_id", "group_id", "document", "category", "dataset")),
            _column("scoring", pa.string()),
            _column("branch", pa.int32()),
            *(_column(name, pa.string()) for name in ("method", "prompt", "question")),
            *(_column(name, _list(pa.string())) for name in ("references", "options")),
            _column("correct", _list(pa.int32())),
            _column("text", pa.string()),
            _column("token_ids", _list(pa.int32())),
            _column("finish_reason", pa.string()),
            _column("columns", _list(pa.int32())),
            _column("option_scores", _list(pa.float64())),
            *(_column(name, pa.int32()) for name in ("prompt_tokens", "new_tokens", "round")),
        ]
    ),
    TIMES: pa.schema(
        [_column("question_id", pa.string()), _column("first_token_s", pa.float64()), _column("total_s", pa.float64())]
    ),
}


def write_rows(path: Path, rows: Iterable[AnswerRow]) -> None:
    """Write ROWS as Parquet: all of them, or no file."""
    _write(path, ROWS, rows)


def read_rows(path: Path) -> list[AnswerRow]:
    """Read what :func:`write_rows` wrote.

    Raises:
        DataError: the file is missing or not one of answer rows, a row contradicts itself, or a
            question comes twice.
    """
    return _read(path, ROWS, AnswerRow)


def times_path(path: Path) -> Path:
    """Where the times of the answers in PATH are: apart, as they differ from run to run.

    Example:
        >>> times_path(Path("squad/parallel.parquet")).name
        'parallel.times.parquet'
    """
    return path.with_name(f"{path.stem}.times{path.suffix}")


def write_times(path: Path, times: Iterable[QuestionTimes]) -> None:
    """Write TIMES as Parquet to PATH, which :func:`times_path` names: all of them, or no file."""
    _write(path, TIMES, times)


def read_times(path: Path) -> list[QuestionTimes]:
    """Read what :func:`write_times` wrote.

    Raises:
        DataError: the file is missing or not one of times, a time is impossible, or a question comes twice.
    """
    return _read(path, TIMES, QuestionTimes)


def _write(path: Path, kind: str, rows: Iterable[AnswerRow] | Iterable[QuestionTimes]) -> None:
    schema = SCHEMAS[kind]
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        made = Path(folder) / path.name
        with pq.ParquetWriter(made, schema, **FORMAT) as file:
            file.write_table(table)
            file.add_key_value_metadata({KIND: kind})
        made.replace(path)  # atomic: a reader meets the old file or the new one


def _read(path: Path, kind: str, record: type[Row]) -> list[Row]:
    rows: dict[str, Row] = {}
    for number, values in enumerate(_records(path, kind), start=1):
        row = _row(record, values, f"{path}: row {number}")
        if row.question_id in rows:
            raise DataError(f"{path}: row {number}: question '{row.question_id}' comes twice. {REMEDY}")
        rows[row.question_id] = row
    return list(rows.values())


def _records(path: Path, kind: str) -> list[dict[str, Any]]:
    if not path.is_file():
        raise DataError(f"{path}: no such file. Run the decode stage first: dvc repro decode")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            _check_kind(path, file, kind)
            return file.read().to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({str(error).splitlines()[0]}). {REMEDY}") from error


def _check_kind(path: Path, file: pq.ParquetFile, kind: str) -> None:
    told = (file.metadata.metadata or {}).get(KIND.encode(), b"something else").decode()
    if told != kind:
        raise DataError(f"{path}: holds {told}, not {kind}. {REMEDY}")
    found, wanted = file.schema_arrow, SCHEMAS[kind]
    if not found.equals(wanted):
        different = sorted(set(found.names) ^ set(wanted.names)) or [
            name for name in wanted.names if not found.field(name).equals(wanted.field(name))
        ]
        raise DataError(f"{path}: other columns than {kind} has: {', '.join(different) or 'their order'}. {REMEDY}")


def _row(record: type[Row], values: Mapping[str, Any], place: str) -> Row:
    try:
        return record(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
    except DataError as error:
        raise DataError(f"{place}, {error}. {REMEDY}") from error


def _contradiction(row: AnswerRow) -> str:
    if row.option_scores and not row.correct:
        return "option_scores without correct"
    if row.option_scores and len(row.option_scores) != len(row.options):
        return f"{len(row.option_scores)} option_scores for {len(row.options)} options"
    if not all(map(math.isfinite, row.option_scores)):
        return "an option score is not a finite number"
    if not _rising_below(row.correct, len(row.options)):
        return f"correct is {row.correct}, which are not rising indices of {len(row.options)} options"
    if len(row.columns) != 2:
        return f"columns is {row.columns}, not (first, last)"
    return ""


def _rising_below(indices: Sequence[int], end: int) -> bool:
    return all(low < high for low, high in zip((-1, *indices), (*indices, end), strict=True))
