"""Exams by subject (MMLU, C-Eval, CMMLU): tables of lettered options, headed by solved examples."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError
from pmind.corpora.sources import OPENERS, read_table, require, require_text
from pmind.errors import DataError
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import LETTERS, Question, QuestionGroup

SHOTS = 5  # examples a subject, as in every one of these benchmarks
OPTIONS = "abcd"

Entry = Mapping[str, Any]  # question, a, b, c, d, answer, and perhaps id
Placed = tuple[str, Entry]  # where it was found comes first


@dataclass(frozen=True)
class Exam:
    """What the files and prompts of one benchmark look like.

    Attributes:
        head: opens every context; ``{subject}`` stands for the subject's name.
        template: texts of a question, and of an example before it.
        examples: name of a subject's file in the folder ``dev`` beside the one with the questions.
        columns: of files that have no header row.
        names: of the subjects in prompts; empty where it is the file's, with blanks.
        only: subjects to read, the others are counted; empty for all.
    """

    head: str
    template: PromptTemplate
    examples: str = "{subject}_dev.csv"
    columns: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    only: frozenset[str] = frozenset()


def read_exam(path: Path, intake: Intake, *, exam: Exam, shots: int) -> list[QuestionGroup]:
    """Make one group of a subject's file; each question is a document of its own.

    Args:
        path: named after the subject, as ``anatomy_test.csv`` or ``anatomy.csv``.
        intake: notes ids and what is left out: ``unanswered_questions``, ``duplicate_questions``,
            ``questions_of_other_subjects``.
        exam: what its files and prompts look like.
        shots: solved examples in the context.

    Raises:
        DataError: unknown subject, another schema, an id that occurs twice, or too few examples.
    """
    name = split_name(str(path))
    subject = re.sub(r"_(dev|val|test)$", "", name)
    examples = list(_entries(_examples_file(path, subject, exam), exam)) if shots else []
    return _groups(subject, name, list(_entries(path, exam)), _first(examples, shots, str(path)), exam, intake)


def exam_rows(
    rows: Iterable[Mapping[str, Any]],
    where: str,
    intake: Intake,
    *,
    exam: Exam,
    shots: int,
    examples: Iterable[Mapping[str, Any]] = (),
) -> list[QuestionGroup]:
    """Make one group a subject of the Hub's rows.

    Args:
        rows: of one split; the fields of a file's columns, in capitals or not, and perhaps ``subject``.
        where: dataset and split; rows without ``subject`` are of the configuration it names.
        intake: see :func:`read_exam`.
        exam: what its prompts look like.
        shots: solved examples in the context.
        examples: rows of the split they are in.

    Raises:
        DataError: as :func:`read_exam`; or rows that tell no subject.
    """
    solved = _by_subject(examples, f"{where} example")
    groups = []
    for subject, placed in _by_subject(rows, f"{where} row").items():
        shown = _first(solved.get(subject, []), shots, f"{where}: {subject}")
        groups += _groups(subject, f"{subject}_{split_name(where)}", placed, shown, exam, intake)
    return groups


def few_shot_block(head: str, examples: Iterable[Question], template: PromptTemplate) -> str:
    """The text before a question: HEAD, then each example with its answer and a blank line.

    Example:
        >>> template = PromptTemplate(prompt="Q: {question}\\nA:")
        >>> few_shot_block("Two examples.\\n\\n", [Question("1", "1 + 1?", ("2",))], template)
        'Two examples.\\n\\nQ: 1 + 1?\\nA: 2\\n\\n'
    """
    return head + "".join(template.render_prompt(one) + template.render_answer(one) + "\n\n" for one in examples)


def split_name(where: str) -> str:
    """The file's name without its endings, or the Hub's split; part of ids that a dataset does not give.

    Example:
        >>> split_name("data/train.jsonl.xz"), split_name("openai/gsm8k:main test")
        ('train', 'test')
    """
    return where.split()[-1].rpartition("/")[2].partition(".")[0]


def _examples_file(path: Path, subject: str, exam: Exam) -> Path:
    plain = path.resolve().parent.parent / "dev" / exam.examples.format(subject=subject)
    for file in (plain.with_name(plain.name + ending) for ending in ("", *OPENERS)):
        if file == path.resolve():
            raise DataError(f"{path}: holds the examples of its subject. Name the file of the questions")
        if file.is_file():
            return file
    raise DataError(f"{path}: no examples in {plain}. Put them there, or use the dataset without examples")


def _first(examples: list[Placed], shots: int, where: str) -> list[Placed]:
    if len(examples) < shots:
        raise DataError(f"{where}: {len(examples)} examples, {shots} are asked for. Use the dataset without examples")
    return examples[:shots]


def _entries(path: Path, exam: Exam) -> Iterator[Placed]:
    rows = read_table(path, header=not exam.columns)
    columns = exam.columns or [column.lower() or "id" for column in next(rows, ("", []))[1]]
    for where, fields in rows:
        yield where, dict(zip(columns, fields, strict=False))


def _by_subject(rows: Iterable[Mapping[str, Any]], where: str) -> dict[str, list[Placed]]:
    placed: dict[str, list[Placed]] = {}
    config = where.split()[0].partition(":")[2]
    for number, row in enumerate(rows):
        at = f"{where} {number}"
        entry = {column.lower(): value for column, value in row.items()}
        subject = require(entry, "subject", str, at) if not config or "subject" in entry else config
        placed.setdefault(subject, []).append((at, entry))
    return placed


def _groups(
    subject: str, name: str, placed: Sequence[Placed], examples: Sequence[Placed], exam: Exam, intake: Intake
) -> list[QuestionGroup]:
    if exam.only and subject not in exam.only:
        intake.drop("questions_of_other_subjects", len(placed))
        return []
    if exam.names and subject not in exam.names:
        known = next(iter(exam.names))
        raise DataError(f"{name}: unknown subject '{subject}'. Name the file after its subject, such as {known}.csv")
    head = exam.head.format(subject=exam.names.get(subject) or subject.replace("_", " "))
    context = few_shot_block(head, [_question(entry, "", subject, at) for at, entry in examples], exam.template)
    asked = []
    for number, (where, entry) in enumerate(placed):
        if require(entry, "answer", str, where).strip():
            identity = intake.new_id(f"{name}-{entry.get('id', number)}", where)
            asked.append(_question(entry, identity, subject, where))
        else:
            intake.drop("unanswered_questions")
    questions = intake.distinct(asked)
    return [QuestionGroup(questions[0].id, subject, context, questions)] if questions else []


def _question(entry: Entry, identity: str, subject: str, where: str) -> Question:
    text = require_text(entry, "question", where)
    options = tuple(require(entry, letter, str, where) for letter in OPTIONS)
    answer = require(entry, "answer", str, where).strip()
    letters = LETTERS[: len(OPTIONS)]
    if answer not in tuple(letters):
        raise SchemaError(f"{where}.answer", f"'{answer[:20]}' is none of {', '.join(letters)}")
    right = letters.index(answer)
    return Question(identity, text, (options[right],), options, (right,), document=identity, category=subject)
