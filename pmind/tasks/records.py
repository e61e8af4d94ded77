"""Questions and the groups they come in: the one record every dataset yields."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from pmind.errors import DataError

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Question:
    """One question of a group.

    Attributes:
        id: unique within the dataset.
        text: the question as a person would read it.
        answers: accepted answers, the first one is the training target; ``()`` when the passage
            does not answer the question (SQuAD 2.0). Of a question with options they are the
            right options' texts.
        options: texts of a multiple-choice question in the order of its letters, else ``()``.
        correct: indices of the right options, rising; ``()`` for free text.
        context: passage of this question alone; only in groups that share none.
        document: article of that passage, or the unit that intervals treat as one where the group's
            document is not it (each exam question is its own); ``""`` stands for the group's.
        category: subject, level or kind, where the dataset tells; for grouping and break-downs.
        needs: ids of the questions of its group without which it cannot be answered, where the dataset tells;
            what is regrouped may have lost them.
    """

    id: str
    text: str
    answers: tuple[str, ...]
    options: tuple[str, ...] = ()
    correct: tuple[int, ...] = ()
    context: str = ""
    document: str = ""
    category: str = ""
    needs: tuple[str, ...] = ()

    @property
    def asked(self) -> tuple[str, str, tuple[str, ...]]:
        """What must not come twice in a group: the text may, about another passage or with other options."""
        return self.context, self.text, self.options

    @property
    def lettered(self) -> str:
        """Options with their letters, a line each."""
        return "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, self.options, strict=False))

    @property
    def letters(self) -> str:
        """Letters of the right options, ``""`` for free text."""
        return "".join(LETTERS[index] for index in self.correct)


@dataclass(frozen=True)
class QuestionGroup:
    """Questions that share a context, or that share none.

    Attributes:
        id: unique within the dataset.
        document: the article or case the context is from; splits treat a document as one unit.
        context: the shared passage, or ``""``.
        questions: at least one, none asked twice.

    Raises:
        DataError: no questions, one asked twice, or a question with its own context beside a
            shared one or beside questions that have none.
    """

    id: str
    document: str
    context: str
    questions: tuple[Question, ...]

    def __post_init__(self) -> None:
        own = sum(bool(question.context) for question in self.questions)
        if not self.questions:
            raise DataError(f"group '{self.id}' has no questions")
        if own and (self.context or own < len(self.questions)):
            raise DataError(
                f"group '{self.id}': {own} of {len(self.questions)} questions bring a context of their own; "
                "all must, beside no shared one, or none"
            )
        if len({question.asked for question in self.questions}) < len(self.questions):
            raise DataError(f"group '{self.id}' asks the same question twice. Keep one of them")

    def document_of(self, question: Question) -> str:
        """The unit that intervals treat as one."""
        return question.document or self.document


def passage_document(passage: str) -> str:
    """Name of a passage, whatever its blanks and punctuation: the data repeats some with other ones.

    Example:
        >>> passage_document("A tale.") == passage_document(" A  tale")
        True
    """
    letters = re.sub(r"[\W_]", "", passage)
    return f"passage-{sha256(letters.encode()).hexdigest()[:12]}"


def write_groups(path: Path, groups: Iterable[QuestionGroup]) -> None:
    """Write one JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as lines:
        for group in groups:
            lines.write(json.dumps(_record(group), ensure_ascii=False) + "\n")


def read_groups(path: Path) -> list[QuestionGroup]:
    """Read what :func:`write_groups` wrote.

    Raises:
        DataError: the file is missing, or a line is not a group.
    """
    return list(_parse_lines(path))


def _record(group: QuestionGroup) -> dict:
    record = asdict(group)
    for entry in record["questions"]:
        if not entry["needs"]:
            del entry["needs"]  # few datasets tell: files of the others stay as they were
    return record


def _parse_lines(path: Path) -> Iterator[QuestionGroup]:
    if not path.is_file():
        raise DataError(f"{path}: no such file. Run the group stage first: dvc repro group")
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield _group(json.loads(line))
            except (ValueError, KeyError, TypeError, DataError) as error:
                raise DataError(f"{path}:{number}: not a question group ({error})") from error


def _group(record: dict) -> QuestionGroup:
    return QuestionGroup(**{**record, "questions": tuple(_question(entry) for entry in record["questions"])})


def _question(entry: dict) -> Question:
    lists = {name: tuple(entry[name]) for name in ("answers", "options", "correct")}
    return Question(**{**entry, **lists, "needs": tuple(entry.get("needs", ()))})
