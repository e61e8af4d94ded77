"""Reading comprehension in SQuAD v1.1's schema (SQuAD, XQuAD, CMRC, DRCD, …)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pmind.corpora.sources import require
from pmind.errors import DataError
from pmind.tasks.records import Question, QuestionGroup


def squad_groups(data: Any, where: str, dropped: Counter[str]) -> list[QuestionGroup]:
    """Make one group of each paragraph; its id is the first question's, its document the article.

    Args:
        data: what ``json.load`` gives for a SQuAD file.
        where: file or dataset, heads every error.
        dropped: counts questions left out: ``duplicate_questions`` (asked before in the paragraph)
            and ``unanswerable_questions`` (no answer, as in SQuAD 2.0).

    Raises:
        DataError: another schema, or an id that occurs twice; names article, paragraph and question.
    """
    groups, ids = [], set()
    for index, article in enumerate(require(data, "data", list, where)):
        at = f"{where}: data[{index}]"
        for number, paragraph in enumerate(require(article, "paragraphs", list, at)):
            place = f"{at}.paragraphs[{number}]"
            questions = _questions(paragraph, place, ids, dropped)
            if questions:
                document = str(article.get("title") or index)
                context = require(paragraph, "context", str, place)
                groups.append(QuestionGroup(questions[0].id, document, context, questions))
    return groups


def rows_to_squad(rows: Iterable[Mapping[str, Any]], where: str) -> dict[str, Any]:
    """Gather the Hub's rows (``title``, ``context``, ``question``, ``answers``, ``id``) into SQuAD's schema."""
    articles: dict[str, dict[str, list]] = {}
    for number, row in enumerate(rows):
        at = f"{where} row {number}"
        title, context = require(row, "title", str, at), require(row, "context", str, at)
        answers = require(row, "answers", dict, at)
        entry = {
            "id": require(row, "id", str, at),
            "question": require(row, "question", str, at),
            "answers": [{"text": text} for text in require(answers, "text", list, at)],
        }
        articles.setdefault(title, {}).setdefault(context, []).append(entry)
    return {
        "data": [
            {"title": title, "paragraphs": [{"context": context, "qas": qas} for context, qas in paragraphs.items()]}
            for title, paragraphs in articles.items()
        ]
    }


def _questions(paragraph: Any, where: str, ids: set[str], dropped: Counter[str]) -> tuple[Question, ...]:
    kept: dict[str, Question] = {}
    for number, entry in enumerate(require(paragraph, "qas", list, where)):
        question = _question(entry, f"{where}.qas[{number}]", ids)
        if not question.answers:
            dropped["unanswerable_questions"] += 1
        elif question.text in kept:
            dropped["duplicate_questions"] += 1
        else:
            kept[question.text] = question
    return tuple(kept.values())


def _question(entry: Any, where: str, ids: set[str]) -> Question:
    identity, text = require(entry, "id", str, where), require(entry, "question", str, where).strip()
    if identity in ids:
        raise DataError(f"{where}: id '{identity}' occurs twice. Make ids unique")
    if not text:
        raise DataError(f"{where}: the question is empty")
    ids.add(identity)
    answers = require(entry, "answers", list, where)
    texts = [require(answer, "text", str, f"{where}.answers[{i}]").strip() for i, answer in enumerate(answers)]
    return Question(identity, text, tuple(dict.fromkeys(filter(None, texts))))
