"""MMLU: four options a question, 57 subjects (Hendrycks et al., 2021)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError
from pmind.corpora.sources import require
from pmind.tasks.dataset import Dataset
from pmind.tasks.exams import OPTIONS, SHOTS, Exam, exam_rows, read_exam
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import LETTERS, QuestionGroup

EXAM = Exam(  # texts of lm-evaluation-harness, task mmlu; its authors' code writes one blank more before the subject
    head="The following are multiple choice questions (with answers) about {subject}.\n\n",
    template=PromptTemplate(context="{context}", prompt="{question}\n{options}\nAnswer:", choice="letter"),
    columns=("question", *OPTIONS, "answer"),
)


def read_mmlu(path: Path, intake: Intake, *, shots: int = SHOTS) -> list[QuestionGroup]:
    """The group of one subject's file, ``test/<subject>_test.csv``; see :func:`pmind.tasks.exams.read_exam`."""
    return read_exam(path, intake, exam=EXAM, shots=shots)


def mmlu_rows(
    rows: Iterable[Mapping[str, Any]],
    where: str,
    intake: Intake,
    *,
    shots: int = SHOTS,
    examples: Iterable[Mapping[str, Any]] = (),
) -> list[QuestionGroup]:
    """Groups of the Hub's rows (``question``, ``subject``, ``choices``, ``answer`` as an index)."""
    asked, solved = _entries(rows, f"{where} row"), _entries(examples, f"{where} example")
    return exam_rows(asked, where, intake, exam=EXAM, shots=shots, examples=solved)


def _entries(rows: Iterable[Mapping[str, Any]], where: str) -> Iterator[dict[str, Any]]:
    for number, row in enumerate(rows):
        at = f"{where} {number}"
        answer = require(row, "answer", int, at)
        if not 0 <= answer < len(OPTIONS):
            raise SchemaError(f"{at}.answer", f"{answer} is no index of an option, 0 to {len(OPTIONS) - 1}")
        options = dict(zip(OPTIONS, require(row, "choices", list, at), strict=False))
        yield {**row, **options, "answer": LETTERS[answer]}


MMLU = Dataset(
    about="57 subjects from school to professional exams, four options, five solved examples before (MMLU)",
    language="en",
    scoring="choice",
    read=read_mmlu,
    rows=mmlu_rows,
    hub="cais/mmlu:all",
    files=("test/*_test.csv*", "*_test.csv*"),
    template=EXAM.template,
    max_new_tokens=4,
    examples="dev",
)
MMLU_ZERO_SHOT = replace(
    MMLU,
    about="MMLU without examples",
    read=partial(read_mmlu, shots=0),
    rows=partial(mmlu_rows, shots=0),
    examples="",
)
