"""RACE, and what datasets share whose questions have one right option among several."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError
from pmind.corpora.sources import read_json_lines, require
from pmind.tasks.dataset import Dataset
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import LETTERS, Question, QuestionGroup, passage_document

LEVEL = re.compile("high|middle")
LETTERED = PromptTemplate(context="{context}\n\n", prompt="Question: {question}\n{options}\nAnswer:", choice="letter")
LETTER_TOKENS = 4  # a letter, and the blank or the line end around it

Passage = tuple[str, str, list[Question]]  # document, text, questions


def read_race(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Groups of one file: an article's ``.txt`` of the release, or such objects one a line.

    A question's id is the article's with its index (``high63.txt-0``), its category the level in that id.

    Raises:
        SchemaError: another schema, or an id that occurs twice; names line and question.
    """
    passages = [_article(record, place, intake) for place, record in read_json_lines(path)]
    return passage_groups(passages, intake)


def race_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """Groups of the Hub's rows (``example_id``, ``article``, ``question``, ``options``, ``answer``), by article."""
    articles: dict[tuple[str, str], list[Question]] = {}
    for number, row in enumerate(rows):
        at = f"{where} row {number}"
        name, text = require(row, "example_id", str, at), require(row, "article", str, at).strip()
        asked = articles.setdefault((name, text), [])
        asked.append(_question(row, name, len(asked), at, intake))
    return passage_groups(((text, text, asked) for (_, text), asked in articles.items()), intake)


def passage_groups(passages: Iterable[Passage], intake: Intake) -> list[QuestionGroup]:
    """Make one group of each passage that has questions; its id is its first question's.

    A passage that is its own document is called by a digest of its text.

    Left out and counted are ``blank_questions`` and ``duplicate_questions``.
    """
    groups = []
    for document, text, questions in passages:
        asked = [question for question in questions if question.text]
        intake.drop("blank_questions", len(questions) - len(asked))
        distinct = intake.distinct(asked)
        if distinct:
            name = passage_document(text) if document == text else document
            groups.append(QuestionGroup(distinct[0].id, name, text, distinct))
    return groups


def choice_question(
    identity: str, text: str, options: list[Any], right: int, where: str, category: str = ""
) -> Question:
    """A question with one right option, the blanks around its texts removed.

    Raises:
        SchemaError: an option is no text, or RIGHT is not the index of one.
    """
    for index, option in enumerate(options):
        if not isinstance(option, str):
            raise SchemaError(where, f"option {index} is {option!r}, expected a text")
    if not 0 <= right < len(options):
        raise SchemaError(where, f"the answer is none of the {len(options)} options")
    texts = tuple(option.strip() for option in options)
    return Question(identity, text.strip(), (texts[right],), texts, (right,), category=category)


def letter_index(letter: str) -> int:
    """Index of the option that a letter stands for, -1 for any other text.

    Example:
        >>> letter_index("C"), letter_index("AB"), letter_index("")
        (2, -1, -1)
    """
    return LETTERS.find(letter) if len(letter) == 1 else -1


def entries_by_field(columns: Mapping[str, list[Any]], where: str) -> list[dict[str, Any]]:
    """Turn lists, one of each field, into one record of each entry.

    Raises:
        SchemaError: the lists differ in length.

    Example:
        >>> entries_by_field({"question": ["Who?", "Why?"], "answer": ["A", "C"]}, "train")
        [{'question': 'Who?', 'answer': 'A'}, {'question': 'Why?', 'answer': 'C'}]
    """
    if len({len(column) for column in columns.values()}) > 1:
        counts = ", ".join(f"{field} {len(column)}" for field, column in columns.items())
        raise SchemaError(where, f"expected as many of each field, found {counts}")
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _article(record: Any, where: str, intake: Intake) -> Passage:
    name, text = require(record, "id", str, where), require(record, "article", str, where).strip()
    fields = {"question": "questions", "options": "options", "answer": "answers"}
    entries = entries_by_field({one: require(record, all_, list, where) for one, all_ in fields.items()}, where)
    asked = [_question(entry, name, index, f"{where} question {index}", intake) for index, entry in enumerate(entries)]
    return text, text, asked


def _question(entry: Mapping[str, Any], name: str, index: int, where: str, intake: Intake) -> Question:
    identity, level = intake.new_id(f"{name}-{index}", where), LEVEL.match(name)
    return choice_question(
        identity,
        require(entry, "question", str, where),
        require(entry, "options", list, where),
        letter_index(require(entry, "answer", str, where)),
        where,
        category=level[0] if level else "",
    )


RACE = Dataset(
    about="English exams of Chinese middle and high schools: articles, questions with four options (RACE)",
    language="en",
    scoring="choice",
    read=read_race,
    rows=race_rows,
    hub="ehovy/race:all",
    files=("[hm]i*/*.txt", "*.txt", "*.jsonl*"),  # the release: train/high/1.txt, train/middle/1.txt, ...
    template=replace(LETTERED, context="Article: {context}\n\n"),
    max_new_tokens=LETTER_TOKENS,
)
