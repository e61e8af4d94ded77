"""Reading comprehension in SQuAD's schema, v1.1 and v2.0 (SQuAD, XQuAD, CMRC 2018, DRCD)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError, naming_lines
from pmind.corpora.sources import parse_json, read_text, require
from pmind.tasks.dataset import Dataset
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup, passage_document


def squad_groups(data: Any, where: str, intake: Intake) -> list[QuestionGroup]:
    """Make one group of each paragraph; its id is the first question's, its document the article.

    A question that is marked ``is_impossible`` has no answers. One without answers that is not
    marked so, as in the test files of a challenge, is left out as ``unanswered_questions``, one
    without a text as ``blank_questions``.

    Args:
        data: what ``json.load`` gives for a SQuAD file.
        where: file or dataset, heads every error.
        intake: notes ids and what is left out.

    Raises:
        SchemaError: another schema, or an id that occurs twice; names article, paragraph and question.
    """
    groups = []
    for index, article in enumerate(require(data, "data", list, where)):
        at = f"{where}: data[{index}]"
        for number, paragraph in enumerate(require(article, "paragraphs", list, at)):
            place = f"{at}.paragraphs[{number}]"
            questions = _questions(paragraph, place, intake)
            if questions:
                document = str(article.get("title") or paragraph.get("id") or index)
                context = require(paragraph, "context", str, place)
                groups.append(QuestionGroup(questions[0].id, document, context, questions))
    return groups


def read_squad(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Groups of one file; see :func:`squad_groups`."""
    text = read_text(path)
    with naming_lines(path, text):
        return squad_groups(parse_json(text, path), str(path), intake)


def squad_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """Groups of the Hub's rows (``title``, ``context``, ``question``, ``answers``, ``id``), gathered by context."""
    asked: dict[tuple[str, str], list[Question]] = {}
    for number, row in enumerate(rows):
        at = f"{where} row {number}"
        answers = require(require(row, "answers", dict, at), "text", list, f"{at}.answers")
        entry = {**row, "answers": [{"text": text} for text in answers], "is_impossible": not answers}
        context = require(row, "context", str, at)
        title = str(row.get("title") or passage_document(context))
        asked.setdefault((title, context), []).append(_question(entry, at, intake))
    groups = []
    for (title, context), questions in asked.items():
        distinct = intake.distinct(questions)
        groups.append(QuestionGroup(distinct[0].id, title, context, distinct))
    return groups


def _questions(paragraph: Any, where: str, intake: Intake) -> tuple[Question, ...]:
    kept = []
    for number, entry in enumerate(require(paragraph, "qas", list, where)):
        at = f"{where}.qas[{number}]"
        question = _question(entry, at, intake)
        if not question.text:
            intake.drop("blank_questions")
        elif question.answers or entry.get("is_impossible"):
            kept.append(question)
        else:
            intake.drop("unanswered_questions")
    return intake.distinct(kept)


def _question(entry: Any, where: str, intake: Intake) -> Question:
    identity = intake.new_id(require(entry, "id", str, where), where)
    text = require(entry, "question", str, where).strip()
    answers = require(entry, "answers", list, where)
    texts = [require(answer, "text", str, f"{where}.answers[{i}]").strip() for i, answer in enumerate(answers)]
    impossible = entry.get("is_impossible", False)
    if not isinstance(impossible, bool):
        raise SchemaError(f"{where}.is_impossible", f"expected true or false, found {impossible!r}")
    return Question(
        identity,
        text,
        () if impossible else tuple(dict.fromkeys(filter(None, texts))),
        category="NoAns" if impossible else "HasAns" if "is_impossible" in entry else "",
    )


SQUAD = Dataset(
    about="Wikipedia paragraphs, questions answered by a span, or by nothing (v1.1, v2.0)",
    language="en",
    scoring="squad2",
    read=read_squad,
    rows=squad_rows,
    hub="rajpurkar/squad_v2",
    template=PromptTemplate(context="{context}\n\n", prompt="Question: {question}\nAnswer:"),
)
XQUAD = replace(SQUAD, about="240 SQuAD paragraphs in eleven languages", hub="google/xquad:xquad.en")
CMRC = replace(
    SQUAD,
    about="Chinese Wikipedia paragraphs, questions answered by a span (CMRC 2018)",
    language="zh",
    scoring="cmrc",
    hub="hfl/cmrc2018",
    template=PromptTemplate(context="{context}\n\n", prompt="问题：{question}\n答案：", answer="{answer}"),
)
DRCD = replace(CMRC, about="Chinese Wikipedia paragraphs in traditional characters, spans (DRCD)", hub="voidful/DRCD")
