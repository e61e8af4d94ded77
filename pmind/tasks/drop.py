"""Passages about games and history whose questions need counting and arithmetic (DROP)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError, naming_lines
from pmind.corpora.sources import parse_json, read_text, require, require_text
from pmind.tasks.dataset import Dataset
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup, passage_document

SPAN_SEPARATOR = "; "  # between the spans of one answer
DATE = ("day", "month", "year")


def drop_groups(data: Any, where: str, intake: Intake) -> list[QuestionGroup]:
    """Make one group of each passage; the document is the passage, as no article is named.

    A question's answers are its own and those of the annotators who validated it, each as
    :func:`answer_text` writes it; blank ones do not count, as in the official evaluation.

    Args:
        data: what ``json.load`` gives for a DROP file.
        where: file or dataset, heads every error.
        intake: notes ids and what is left out: ``unanswered_questions``, ``duplicate_questions``.

    Raises:
        SchemaError: another schema, or an id that occurs twice; names passage and question.
    """
    if not isinstance(data, Mapping):
        raise SchemaError(where, f"expected an object of passages, found {type(data).__name__}")
    groups = []
    for name, section in data.items():
        place = f"{where}: {name}"
        passage = require_text(section, "passage", place)
        entries = enumerate(require(section, "qa_pairs", list, place))
        groups += _group(passage, [_question(entry, f"{place}.qa_pairs[{i}]", intake) for i, entry in entries], intake)
    return groups


def read_drop(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Groups of one file; see :func:`drop_groups`."""
    text = read_text(path)
    with naming_lines(path, text):
        return drop_groups(parse_json(text, path), str(path), intake)


def drop_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """Groups of the rows of ``EleutherAI/drop``, gathered by passage.

    The rows of ``ucinlp/drop`` will not do: they run the spans of all annotators together.
    """
    asked: dict[str, list[Question]] = {}
    for number, row in enumerate(rows):
        at = f"{where} row {number}"
        entry = {**row, "validated_answers": _unzip(row.get("validated_answers") or {}, at)}
        asked.setdefault(require_text(row, "passage", at), []).append(_question(entry, at, intake))
    return [group for passage, questions in asked.items() for group in _group(passage, questions, intake)]


def answer_text(answer: Any, where: str) -> tuple[str, str]:
    """One answer as text, and its kind: number, span, spans or date (``answer_json_to_strings`` of the official code).

    Example:
        >>> answer_text({"number": "", "date": {}, "spans": ["Ann", "Bob"]}, "f")
        ('Ann; Bob', 'spans')
        >>> answer_text({"number": "", "date": {"day": "", "month": "May", "year": "1611"}, "spans": []}, "f")
        ('May 1611', 'date')
    """
    if not isinstance(answer, Mapping) or not {"number", "spans", "date"} & set(answer):
        raise SchemaError(where, "expected an object with number, spans or date")
    if answer.get("number"):
        return str(answer["number"]).strip(), "number"
    if answer.get("spans"):
        spans = [str(span).strip() for span in require(answer, "spans", list, where)]
        return SPAN_SEPARATOR.join(filter(None, spans)), "span" if len(spans) == 1 else "spans"
    date = require(answer, "date", dict, where) if answer.get("date") else {}
    return " ".join(str(date[part]) for part in DATE if date.get(part)), "date"


def _question(entry: Any, where: str, intake: Intake) -> Question:
    identity = intake.new_id(require(entry, "query_id", str, where), where)
    texts = [answer_text(require(entry, "answer", dict, where), f"{where}.answer")]
    for number, answer in enumerate(entry.get("validated_answers") or []):
        texts.append(answer_text(answer, f"{where}.validated_answers[{number}]"))
    given = [(text, kind) for text, kind in texts if text]
    answers = tuple(dict.fromkeys(text for text, _ in given))
    return Question(identity, require_text(entry, "question", where), answers, category=given[0][1] if given else "")


def _group(passage: str, questions: list[Question], intake: Intake) -> list[QuestionGroup]:
    """The group of a passage, none where no question has an answer."""
    answered = [question for question in questions if question.answers]
    intake.drop("unanswered_questions", len(questions) - len(answered))
    distinct = intake.distinct(answered)
    return [QuestionGroup(distinct[0].id, passage_document(passage), passage, distinct)] if distinct else []


def _unzip(columns: Any, where: str) -> list[dict[str, Any]]:
    """Records of what the Hub keeps as an object of columns."""
    names = ("number", "date", "spans")
    lists = [require(columns, name, list, f"{where}.validated_answers") for name in names] if columns else []
    return [dict(zip(names, values, strict=True)) for values in zip(*lists, strict=False)]


DROP = Dataset(
    about="passages with questions that need counting and arithmetic (DROP)",
    language="en",
    scoring="drop",
    read=read_drop,
    rows=drop_rows,
    hub="EleutherAI/drop",
    template=PromptTemplate(context="Passage: {context}\n", prompt="Question: {question}\nAnswer:"),
)
