"""C3: Chinese exams on dialogues and mixed texts; DREAM's files have the same schema."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError, naming_lines
from pmind.corpora.sources import parse_json, read_text, require
from pmind.tasks.dataset import Dataset
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.race import LETTER_TOKENS, Passage, choice_question, entries_by_field, passage_groups
from pmind.tasks.records import Question, QuestionGroup

FIELDS = ("question", "choice", "answer")

Kind = Callable[[Sequence[str]], str]
Entry = tuple[str, Any]  # place, question


def read_c3(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Groups of one file; ``d-`` or ``m-`` heads the ids, as both kinds number their texts alike.

    Raises:
        SchemaError: another schema, or an id that occurs twice; names text and question.
    """
    return read_documents(path, intake, c3_kind)


def c3_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """Groups of the Hub's rows, one a text (``documents``, ``document_id``, ``questions`` as lists by field)."""
    passages = []
    for number, row in enumerate(rows):
        at = f"{where} row {number}"
        lines, name = require(row, "documents", list, at), require(row, "document_id", str, at)
        columns = require(row, "questions", dict, at)
        fields = {name: require(columns, name, list, f"{at}.questions") for name in FIELDS}
        entries = enumerate(entries_by_field(fields, f"{at}.questions"))
        places = [(f"{at}.questions[{index}]", entry) for index, entry in entries]
        passages.append(document_passage(lines, places, name, at, intake, c3_kind))
    return passage_groups(passages, intake)


def c3_kind(lines: Sequence[str]) -> str:
    """``dialogue`` for several turns, ``mixed`` for a text, which the files keep in one piece.

    Example:
        >>> c3_kind(["男：好。", "女：好。"]), c3_kind(["动物能预报地震。"])
        ('dialogue', 'mixed')
    """
    return "dialogue" if len(lines) > 1 else "mixed"


def read_documents(path: Path, intake: Intake, kind: Kind | None = None) -> list[QuestionGroup]:
    """Groups of one file in C3's and DREAM's schema, a list of ``[lines, questions, id]``.

    Args:
        path: the file.
        intake: notes ids and what is left out.
        kind: tells a text's category, whose first letter then heads its ids.
    """
    text = read_text(path)
    with naming_lines(path, text):
        records = parse_json(text, path)
        if not isinstance(records, list):
            raise SchemaError(str(path), f"expected a list of texts, found {type(records).__name__}")
        passages = [_record(record, f"{path}: [{number}]", intake, kind) for number, record in enumerate(records)]
        return passage_groups(passages, intake)


def document_passage(
    lines: list[Any], entries: Iterable[Entry], name: str, where: str, intake: Intake, kind: Kind | None
) -> Passage:
    """A text of several LINES with its questions (``question``, ``choice``, ``answer``); ids are NAME and an index."""
    if not all(isinstance(line, str) for line in lines):
        raise SchemaError(where, "a line of the text is no text")
    category = kind(lines) if kind else ""
    stem = f"{category[0]}-{name}" if category else name
    asked = [_question(entry, f"{stem}-{index}", at, intake, category) for index, (at, entry) in enumerate(entries)]
    text = "\n".join(lines).strip()
    return text, text, asked


def _record(record: Any, where: str, intake: Intake, kind: Kind | None) -> Passage:
    if not isinstance(record, list) or list(map(type, record)) != [list, list, str]:
        raise SchemaError(where, "expected [lines, questions, id]")
    lines, entries, name = record
    places = [(f"{where}[1][{index}]", entry) for index, entry in enumerate(entries)]
    return document_passage(lines, places, name, where, intake, kind)


def _question(entry: Any, identity: str, where: str, intake: Intake, category: str) -> Question:
    text, options = require(entry, "question", str, where), require(entry, "choice", list, where)
    answer = require(entry, "answer", str, where)
    # of equal options the last is right, as for the authors' evaluation (run_classifier.py, _create_examples)
    right = max((index for index, option in enumerate(options) if option == answer), default=-1)
    return choice_question(intake.new_id(identity, where), text, options, right, where, category)


C3 = Dataset(
    about="Chinese exams: dialogues and mixed texts, questions with two to four options (C3)",
    language="zh",
    scoring="choice",
    read=read_c3,
    rows=c3_rows,
    files=("c3-[dm]-*.json*",),
    template=PromptTemplate(
        context="{context}\n\n", prompt="问题：{question}\n{options}\n答案：", answer="{answer}", choice="letter"
    ),
    max_new_tokens=LETTER_TOKENS,
)
C3_DIALOGUE = replace(
    C3,
    about="Chinese exams: dialogues, questions with three or four options (C3-D)",
    hub="dataset-org/c3:dialog",
    files=("c3-d-*.json*",),
)
C3_MIXED = replace(
    C3,
    about="Chinese exams: mixed texts, questions with two to four options (C3-M)",
    hub="dataset-org/c3:mixed",
    files=("c3-m-*.json*",),
)
