"""Built-in reading tasks whose questions need each other: SQuAD's schema with ``category`` and ``needs``."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError, naming_lines
from pmind.corpora.sources import parse_json, read_text, require
from pmind.tasks.intake import Intake
from pmind.tasks.records import Question, QuestionGroup
from pmind.tasks.squad import SQUAD, squad_groups


def chained_groups(data: Any, where: str, intake: Intake) -> list[QuestionGroup]:
    """Groups of SQuAD's schema, each question with its category and what it needs.

    Args:
        data: as :func:`pmind.corpora.builtin_chained.chained_task` gives it.
        where: file or dataset, heads every error.
        intake: notes ids and what is left out.

    Raises:
        SchemaError: another schema, or a question needs one that is not in its group.
    """
    groups = squad_groups(data, where, intake)
    entries = {
        entry["id"]: entry
        for article in data["data"]
        for paragraph in article["paragraphs"]
        for entry in paragraph["qas"]
    }
    return [_with_needs(group, entries, where) for group in groups]


def read_chained(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Groups of one file; see :func:`chained_groups`."""
    text = read_text(path)
    with naming_lines(path, text):
        return chained_groups(parse_json(text, path), str(path), intake)


def _with_needs(group: QuestionGroup, entries: Mapping[str, Any], where: str) -> QuestionGroup:
    known = {question.id for question in group.questions}
    questions = tuple(_told(question, entries[question.id], known, where) for question in group.questions)
    return replace(group, questions=questions)


def _told(question: Question, entry: Any, known: set[str], where: str) -> Question:
    at = f"{where}: question '{question.id}'"
    needs = tuple(require(entry, "needs", list, at))
    for need in needs:
        if need not in known - {question.id}:
            raise SchemaError(at, f"needs '{need}', which is no other question of its group. Name one that is")
    return replace(question, category=require(entry, "category", str, at), needs=needs)


CHAINED = replace(
    SQUAD,
    about="Built-in passages about people, questions that depend on another's answer",
    scoring="squad",
    read=read_chained,
    hub="",
)
HINTED = replace(CHAINED, about="Built-in passages about people, a question tells what its siblings are about")
