"""BoolQ, of its own release and of SuperGLUE: Wikipedia passages, questions answered by yes or no."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError
from pmind.corpora.sources import read_json_lines, require
from pmind.tasks.dataset import Dataset
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.race import choice_question, passage_groups
from pmind.tasks.records import Question, QuestionGroup

OPTIONS = ["no", "yes"]
HIDDEN = -1  # the Hub's label where the challenge keeps it to itself; its files have no label then


def read_boolq(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Groups of one file, one of each passage; the document is the Wikipedia article.

    A question's id is the file's name with its ``idx``, or with its number where it has none
    (``val-0``), as each split counts from 0. Left out and counted are ``unanswered_questions``.

    Raises:
        SchemaError: another schema, or an id that occurs twice; names the line.
    """
    return _groups(read_json_lines(path), path.name.partition(".")[0], intake)


def boolq_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """Groups of the Hub's rows (``question``, ``passage``, ``answer`` or ``label``), gathered by passage."""
    return _groups(((f"{where} row {number}", row) for number, row in enumerate(rows)), where, intake)


def _groups(rows: Iterable[tuple[str, Any]], split: str, intake: Intake) -> list[QuestionGroup]:
    passages: dict[tuple[str, str], list[Question]] = {}
    for number, (at, row) in enumerate(rows):
        text, passage = require(row, "question", str, at), require(row, "passage", str, at).strip()
        identity = intake.new_id(f"{split}-{row.get('idx', number)}", at)
        label = _label(row, at)
        if label == HIDDEN:
            intake.drop("unanswered_questions")
            continue
        question = choice_question(identity, text, OPTIONS, label, at)
        passages.setdefault((_article(row, passage), passage), []).append(question)
    return passage_groups(((article, text, asked) for (article, text), asked in passages.items()), intake)


def _label(row: Mapping[str, Any], where: str) -> int:
    label = row.get("label", row.get("answer", HIDDEN))
    if label not in (0, 1, HIDDEN):
        raise SchemaError(where, f"expected true or false as the answer, found {label!r}")
    return int(label)


def _article(row: Mapping[str, Any], passage: str) -> str:
    """The article's title: of its own in the release, before ``--`` in SuperGLUE; else the passage stands for it."""
    return str(row.get("title") or passage.partition(" -- ")[0])


BOOLQ = Dataset(
    about="Wikipedia passages, questions answered by yes or no (BoolQ)",
    language="en",
    scoring="choice",
    read=read_boolq,
    rows=boolq_rows,
    hub="google/boolq",
    files=("*.jsonl*",),
    template=PromptTemplate(context="{context}\n", prompt="Question: {question}?\nAnswer:"),
    max_new_tokens=4,
)
