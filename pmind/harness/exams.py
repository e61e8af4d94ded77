"""The harness's own MMLU and C-Eval tasks, their questions read from local tables instead of the Hub."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict

from pmind.corpora.sources import OPENERS, read_table
from pmind.errors import DataError

LETTERS = "ABCD"
MMLU_COLUMNS = ("question", *LETTERS, "answer")


@dataclass(frozen=True)
class ExamFiles:
    """Where a benchmark's tables lie and how the harness calls its tasks.

    Attributes:
        task: name of a subject's task.
        split: folder, and ending of the file's name, of the questions; the examples are in ``dev``.
        header: whether the first row names the columns.
    """

    task: str
    split: str
    header: bool


EXAMS = {
    "mmlu": ExamFiles("mmlu_{subject}", "test", header=False),
    "ceval": ExamFiles("ceval-valid_{subject}", "val", header=True),
}


def exam_group(name: str, folder: Path, subjects: Sequence[str] = ()) -> dict[str, Any]:
    """A group of tasks for the harness's ``simple_evaluate``.

    Args:
        name: ``mmlu`` or ``ceval``.
        folder: of the official release, with ``dev`` and ``test`` or ``val``.
        subjects: as the files are named; all that are there when empty.

    Raises:
        DataError: no file of a subject, or of none.
    """
    files = EXAMS[name]
    ending = f"_{files.split}.csv"
    tables = (path.name for path in (folder / files.split).glob(f"*{ending}*"))
    there = sorted({name[: name.index(ending)] for name in tables})
    chosen = list(subjects) or there
    missing = [subject for subject in chosen if subject not in there]
    if missing or not chosen:
        what = f"no subject '{missing[0]}'" if missing else "no subjects"
        raise DataError(
            f"{folder}: {what}; expected {files.split}/SUBJECT_{files.split}.csv as in the official release"
        )
    tasks = [
        {"task": files.task.format(subject=subject), "custom_dataset": partial(read_subject, name, folder, subject)}
        for subject in chosen
    ]
    return {"group": f"local_{name}", "task": tasks}


def read_subject(name: str, folder: Path, subject: str, **_: Any) -> DatasetDict:
    """Examples and questions of one subject, with the columns that the Hub's version has.

    Raises:
        DataError: a file is missing, cannot be read, or has other columns.
    """
    files = EXAMS[name]
    return DatasetDict(
        {
            split: Dataset.from_list(_read(_table(folder / split / f"{subject}_{split}.csv"), header=files.header))
            for split in ("dev", files.split)
        }
    )


def _table(path: Path) -> Path:
    """The file itself, or packed."""
    return next((packed for end in OPENERS if (packed := path.with_name(path.name + end)).is_file()), path)


def _read(path: Path, *, header: bool) -> list[dict[str, Any]]:
    placed = list(read_table(path, header=header))
    columns = placed.pop(0)[1] if header else MMLU_COLUMNS
    if not {"question", *LETTERS, "answer"} <= set(columns):
        raise DataError(f"{path}: columns {', '.join(columns)}; expected question, A, B, C, D and answer")
    return [_entry(dict(zip(columns, fields, strict=False)), place, choices=not header) for place, fields in placed]


def _entry(row: dict[str, str], place: str, *, choices: bool) -> dict[str, Any]:
    if row.get("answer") not in tuple(LETTERS):
        raise DataError(f"{place}: answer {row.get('answer')!r} is none of {', '.join(LETTERS)}")
    if not choices:
        return row
    options = [row[letter] for letter in LETTERS]
    return {"question": row["question"], "choices": options, "answer": LETTERS.index(row["answer"])}
