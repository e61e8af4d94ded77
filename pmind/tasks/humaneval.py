"""HumanEval: Python functions to complete, judged by running their tests (Chen et al., 2021)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pmind.corpora.sources import read_json_lines, require, require_text
from pmind.tasks.dataset import Dataset
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup

Tests = dict[str, tuple[str, str]]  # of a question's id: program that defines check(candidate), function's name


def read_humaneval(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Make one group of a file; each task is a document of its own.

    Args:
        path: a file of ``{"task_id", "prompt", "canonical_solution", …}`` a line.
        intake: notes ids and what is left out (``duplicate_questions``).

    Raises:
        DataError: another schema, or an id that occurs twice; names the line.
    """
    return _group(read_json_lines(path), intake)


def humaneval_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """The group of the Hub's rows, whose fields are the file's."""
    return _group(_placed(rows, where), intake)


def humaneval_tests(path: Path) -> Tests:
    """What judges a completion, by question id: ``prompt + completion + test + check(entry_point)`` must run.

    Raises:
        DataError: another schema; names the line.
    """
    return _tests(read_json_lines(path))


def humaneval_row_tests(rows: Iterable[Mapping[str, Any]], where: str) -> Tests:
    """The same of the Hub's rows."""
    return _tests(_placed(rows, where))


def _placed(rows: Iterable[Mapping[str, Any]], where: str) -> Iterable[tuple[str, Any]]:
    return ((f"{where} row {number}", row) for number, row in enumerate(rows))


def _tests(placed: Iterable[tuple[str, Any]]) -> Tests:
    return {
        require_text(entry, "task_id", where): (
            require(entry, "test", str, where),
            require_text(entry, "entry_point", where),
        )
        for where, entry in placed
    }


def _group(placed: Iterable[tuple[str, Any]], intake: Intake) -> list[QuestionGroup]:
    asked = []
    for where, entry in placed:
        identity = intake.new_id(require_text(entry, "task_id", where), where)
        prompt = require(entry, "prompt", str, where)  # as it is: its blanks are part of the program
        solution = require(entry, "canonical_solution", str, where)
        asked.append(Question(identity, prompt, (solution,), document=identity))
    questions = intake.distinct(asked)
    return [QuestionGroup(questions[0].id, "humaneval", "", questions)] if questions else []


HUMANEVAL = Dataset(
    about="Python functions to complete, judged by their tests (HumanEval)",
    language="en",
    scoring="humaneval",
    read=read_humaneval,
    rows=humaneval_rows,
    hub="openai/openai_humaneval",
    template=PromptTemplate(context="{context}", prompt="{question}", answer="{answer}"),
    max_new_tokens=512,
    stop=("\nclass", "\ndef", "\n#", "\nif", "\nprint"),
)
