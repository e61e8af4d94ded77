"""MultiRC in SuperGLUE's schema: paragraphs, questions with several right options."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError
from pmind.corpora.sources import read_json_lines, require
from pmind.tasks.dataset import Dataset
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.race import Passage, passage_groups
from pmind.tasks.records import LETTERS, Question, QuestionGroup

HIDDEN = -1  # the Hub's label where the challenge keeps it to itself; its files have no label then


def read_multirc(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Groups of one file, one of each paragraph.

    A question's id is the file's name with the question's ``idx`` (``val-0``), as each split counts from 0.
    Left out and counted are ``unanswered_questions`` (of the test file) and ``questions_with_too_many_options``
    (more than there are letters). A question none of whose options is right has no answers.

    Raises:
        SchemaError: another schema, or an id that occurs twice; names line, question and answer.
    """
    split = path.name.partition(".")[0]
    passages = [
        _passage(require(record, "passage", dict, place), split, f"{place}.passage", intake)
        for place, record in read_json_lines(path)
    ]
    return passage_groups(passages, intake)


def multirc_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """Groups of the Hub's rows, one an option (``paragraph``, ``question``, ``answer``, ``idx``, ``label``)."""
    paragraphs: dict[int, tuple[str, dict[int, Any]]] = {}
    for number, row in enumerate(rows):
        at = f"{where} row {number}"
        idx = require(row, "idx", dict, at)
        paragraph, index = (require(idx, name, int, f"{at}.idx") for name in ("paragraph", "question"))
        _, asked = paragraphs.setdefault(paragraph, (require(row, "paragraph", str, at), {}))
        text, answer = require(row, "question", str, at), require(row, "answer", str, at)
        entry = asked.setdefault(index, {"question": text, "idx": index, "answers": []})
        entry["answers"].append({"text": answer, "label": require(row, "label", int, at)})
    passages = [
        _passage({"text": text, "questions": list(asked.values())}, where, f"{where} paragraph {paragraph}", intake)
        for paragraph, (text, asked) in paragraphs.items()
    ]
    return passage_groups(passages, intake)


def _passage(record: Mapping[str, Any], split: str, where: str, intake: Intake) -> Passage:
    text = require(record, "text", str, where).strip()
    asked = [
        _question(entry, split, f"{where}.questions[{number}]", intake)
        for number, entry in enumerate(require(record, "questions", list, where))
    ]
    return text, text, [question for question in asked if question is not None]


def _question(entry: Any, split: str, where: str, intake: Intake) -> Question | None:
    identity = intake.new_id(f"{split}-{require(entry, 'idx', int, where)}", where)
    text, answers = require(entry, "question", str, where).strip(), require(entry, "answers", list, where)
    places = [f"{where}.answers[{number}]" for number in range(len(answers))]
    options = tuple(require(answer, "text", str, at).strip() for answer, at in zip(answers, places, strict=True))
    labels = [_label(answer, at) for answer, at in zip(answers, places, strict=True)]
    if HIDDEN in labels:
        intake.drop("unanswered_questions")
    elif len(options) > len(LETTERS):
        intake.drop("questions_with_too_many_options")
    else:
        correct = tuple(index for index, label in enumerate(labels) if label)
        return Question(identity, text, tuple(options[index] for index in correct), options, correct)
    return None


def _label(answer: Mapping[str, Any], where: str) -> int:
    label = answer.get("label", HIDDEN)
    if label not in (0, 1, HIDDEN):
        raise SchemaError(f"{where}.label", f"expected 0 or 1, found {label!r}")
    return label


MULTIRC = Dataset(
    about="paragraphs of seven kinds, questions with any number of right options (MultiRC)",
    language="en",
    scoring="multirc",
    read=read_multirc,
    rows=multirc_rows,
    hub="aps/super_glue:multirc",
    files=("*.jsonl*",),
    template=PromptTemplate(
        context="{context}\n\n",
        prompt="Question: {question}\n{options}\nThe letters of all correct options, for example ACD:",
        choice="letter",
    ),
    max_new_tokens=len(LETTERS) + 2,
)
