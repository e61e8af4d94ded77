"""Questions and the groups they come in: the one record every dataset yields."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pmind.errors import DataError

LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True)
class Question:
    """One question of a group.

    Attributes:
        id: unique within the dataset.
        text: the question as a person would read it.
        answers: accepted answers, the first one is the training target; never empty.
        options: texts of a multiple-choice question in the order of its letters, else ``()``.
        correct: index of the right option, or ``None`` for free text.
    """

    id: str
    text: str
    answers: tuple[str, ...]
    options: tuple[str, ...] = ()
    correct: int | None = None

    @property
    def letter(self) -> str | None:
        """Letter of the right option, ``None`` for free text."""
        return None if self.correct is None else LETTERS[self.correct]


@dataclass(frozen=True)
class QuestionGroup:
    """Questions that share a context.

    Attributes:
        id: unique within the dataset.
        document: the article or case the context is from; splits and confidence
            intervals treat a document as one unit.
        context: the shared passage.
        questions: at least one, all with distinct texts.
    """

    id: str
    document: str
    context: str
    questions: tuple[Question, ...]


def write_groups(path: Path, groups: Iterable[QuestionGroup]) -> None:
    """Write one JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as lines:
        for group in groups:
            lines.write(json.dumps(asdict(group), ensure_ascii=False) + "\n")


def read_groups(path: Path) -> list[QuestionGroup]:
    """Read what :func:`write_groups` wrote.

    Raises:
        DataError: the file is missing, or a line is not a group.
    """
    return list(_parse_lines(path))


def _parse_lines(path: Path) -> Iterator[QuestionGroup]:
    if not path.is_file():
        raise DataError(f"{path}: no such file. Run the group stage first: dvc repro group")
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield _group(json.loads(line))
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(f"{path}:{number}: not a question group ({error})") from error


def _group(record: dict) -> QuestionGroup:
    questions = tuple(
        Question(**{**entry, "answers": tuple(entry["answers"]), "options": tuple(entry["options"])})
        for entry in record["questions"]
    )
    return QuestionGroup(**{**record, "questions": questions})
