"""DREAM: English exams on dialogues, questions with three options."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pmind.corpora.sources import require
from pmind.tasks.c3 import Entry, document_passage, read_documents
from pmind.tasks.dataset import Dataset
from pmind.tasks.intake import Intake
from pmind.tasks.race import LETTER_TOKENS, LETTERED, passage_groups
from pmind.tasks.records import QuestionGroup


def read_dream(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Groups of one file; a question's id is its dialogue's with its index (``5-510-0``).

    The files repeat some dialogues under several ids: groups of their own, of one document.

    Raises:
        SchemaError: another schema, or an id that occurs twice; names dialogue and question.
    """
    return read_documents(path, intake)


def dream_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """Groups of the Hub's rows (``dialogue_id``, ``dialogue``, ``question``, ``choice``, ``answer``), by dialogue."""
    dialogues: dict[str, tuple[list[str], list[Entry]]] = {}
    for number, row in enumerate(rows):
        at = f"{where} row {number}"
        lines = require(row, "dialogue", list, at)
        _, entries = dialogues.setdefault(require(row, "dialogue_id", str, at), (lines, []))
        entries.append((at, row))
    passages = [
        document_passage(lines, entries, name, f"{where} dialogue {name}", intake, kind=None)
        for name, (lines, entries) in dialogues.items()
    ]
    return passage_groups(passages, intake)


DREAM = Dataset(
    about="English exams: dialogues, questions with three options (DREAM)",
    language="en",
    scoring="choice",
    read=read_dream,
    rows=dream_rows,
    hub="dataset-org/dream",
    files=("*.json*",),
    template=LETTERED,
    max_new_tokens=LETTER_TOKENS,
)
