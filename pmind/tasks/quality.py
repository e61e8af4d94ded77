"""QuALITY: articles and stories of thousands of words, questions with four options; all, or the hard ones."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from html.parser import HTMLParser
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from pmind.corpora.sources import read_json_lines, require
from pmind.tasks.dataset import Dataset
from pmind.tasks.intake import Intake
from pmind.tasks.race import LETTER_TOKENS, LETTERED, choice_question, passage_groups
from pmind.tasks.records import Question, QuestionGroup

MARKUP = re.compile(r"</\w+>")
BLANK_LINE = re.compile(r"(<br\s*/?>\s*){2,}")
BLOCKS = {"p", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "div", "li", "ol", "ul", "pre", "blockquote"}
LEFT_OUT = {"head", "table"}
DIFFICULTY = ("easy", "hard")


def read_quality(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Groups of one file, one of each article: two writers' sets of questions share it.

    Category is ``easy`` or ``hard``, as the file says. Left out and counted are ``unanswered_questions``
    (of the test file) and ``duplicate_questions`` (a set that the file repeats among them).

    Raises:
        SchemaError: another schema, or an id that occurs twice; names line and question.
    """
    articles: dict[tuple[str, str], list[Question]] = {}
    for place, record in _sets(path, intake):
        article = require(record, "article", str, place)
        text = article_text(article) if MARKUP.search(article) else article.strip()
        asked = articles.setdefault((str(record.get("article_id") or text), text), [])
        asked.extend(_set_questions(record, place, intake))
    return passage_groups(((article, text, asked) for (article, text), asked in articles.items()), intake)


def quality_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """Groups of the Hub's rows (``article``, ``question``, ``options``, ``answer`` from 0, ``hard``), by article."""
    articles: dict[str, list[Question]] = {}
    for number, row in enumerate(rows):
        at = f"{where} row {number}"
        question = choice_question(
            intake.new_id(f"{where}-{number}", at),
            require(row, "question", str, at),
            require(row, "options", list, at),
            require(row, "answer", int, at),
            at,
            category=DIFFICULTY[require(row, "hard", bool, at)],
        )
        articles.setdefault(require(row, "article", str, at).strip(), []).append(question)
    return passage_groups(((text, text, asked) for text, asked in articles.items()), intake)


def read_quality_hard(path: Path, intake: Intake) -> list[QuestionGroup]:
    """The hard questions of :func:`read_quality`; the others are counted as ``easy_questions``."""
    return _hard(read_quality(path, intake), intake)


def quality_hard_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """The hard questions of :func:`quality_rows`; the others are counted as ``easy_questions``."""
    return _hard(quality_rows(rows, where, intake), intake)


def article_text(html: str) -> str:
    """The text of an article of the files that are not stripped: paragraphs, a blank line between them.

    As in the authors' stripped files a paragraph has single blanks only, a line break becomes one,
    two line breaks end a paragraph, and head and tables are left out (README of QuALITY, v1.0.1;
    ``format_nice_text`` of its baselines). Headings stay.

    Example:
        >>> article_text("<h1>Mind</h1><p>The girl<br/>in  his mind.</p>")
        'Mind\\n\\nThe girl in his mind.'
    """
    reader = _Paragraphs()
    reader.feed(BLANK_LINE.sub("<p>", html))
    reader.close()
    paragraphs = (" ".join(paragraph.split()) for paragraph in reader.paragraphs)
    return "\n\n".join(filter(None, paragraphs))


class _Paragraphs(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.paragraphs = [""]
        self._left_out = 0  # open elements that are left out

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._left_out += tag in LEFT_OUT
        self._break(tag)

    def handle_endtag(self, tag: str) -> None:
        self._left_out -= tag in LEFT_OUT
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if not self._left_out:
            self.paragraphs[-1] += data

    def _break(self, tag: str) -> None:
        if tag in BLOCKS:
            self.paragraphs.append("")
        elif tag == "br":
            self.paragraphs[-1] += " "


def _sets(path: Path, intake: Intake) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The file's sets of questions, each once."""
    met: dict[str, Any] = {}
    for place, record in read_json_lines(path):
        released = _released(record, place) if isinstance(record, dict) and "unique_id" in record else record
        identity = require(released, "set_unique_id", str, place)
        if met.get(identity) == record:
            intake.drop("duplicate_questions", len(released["questions"]))
        else:
            met[identity] = record
            yield place, released


def _released(record: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The example of the authors' baselines, which is older, in the schema of the release."""
    numbers = takewhile(lambda number: f"question{number}" in record, count(1))
    questions = [_released_question(record, f"question{number}", where) for number in numbers]
    article = "".join(map(str, require(record, "article", list, where)))
    return {**record, "set_unique_id": record["unique_id"], "article": article, "questions": questions}


def _released_question(record: Mapping[str, Any], name: str, where: str) -> Mapping[str, Any]:
    gold = require(record, f"{name}_gold_label", int, where)
    quick = require(record, f"{name}_annotator_speed_answers", list, where)
    return {
        "question": record[name],
        "options": [require(record, f"{name}option{number}", str, where) for number in range(1, 5)],
        "gold_label": gold,
        "difficult": int(2 * quick.count(gold) < len(quick)),  # fewer than half in a hurry were right, says the README
    }


def _set_questions(record: Mapping[str, Any], where: str, intake: Intake) -> Iterator[Question]:
    for number, entry in enumerate(require(record, "questions", list, where)):
        at = f"{where}.questions[{number}]"
        text, options = require(entry, "question", str, at), require(entry, "options", list, at)
        name = entry.get("question_unique_id", f"{record['set_unique_id']}_{number + 1}")
        identity = intake.new_id(str(name), at)
        if "gold_label" not in entry:
            intake.drop("unanswered_questions")
            continue
        right = require(entry, "gold_label", int, at) - 1
        yield choice_question(
            identity, text, options, right, at, category=DIFFICULTY[bool(require(entry, "difficult", int, at))]
        )


def _hard(groups: list[QuestionGroup], intake: Intake) -> list[QuestionGroup]:
    kept = []
    for group in groups:
        hard = tuple(question for question in group.questions if question.category == "hard")
        intake.drop("easy_questions", len(group.questions) - len(hard))
        if hard:
            kept.append(replace(group, id=hard[0].id, questions=hard))
    return kept


QUALITY = Dataset(
    about="articles and stories of 2,000 to 8,000 tokens, questions with four options (QuALITY)",
    language="en",
    scoring="choice",
    read=read_quality,
    rows=quality_rows,
    hub="emozilla/quality",
    files=("QuALITY*.htmlstripped.*", "QuALITY*", "*.jsonl*"),
    template=LETTERED,
    max_new_tokens=LETTER_TOKENS,
)
QUALITY_HARD = replace(
    QUALITY,
    about="the questions of QuALITY that most readers in haste got wrong",
    read=read_quality_hard,
    rows=quality_hard_rows,
)
