"""What a dataset is to the rest: how its files are read, and what its questions look like to a model."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import QuestionGroup

Language = Literal["en", "zh"]
Grouping = Literal["context", "random", "subdomain", "similar"]
Scoring = Literal[
    "squad", "squad2", "hotpot", "drop", "cmrc", "quac", "choice", "multirc", "text", "gsm8k", "humaneval"
]
PLAIN = PromptTemplate()
ReadFile = Callable[[Path, Intake], list[QuestionGroup]]
ReadRows = Callable[[Iterable[Mapping[str, Any]], str, Intake], list[QuestionGroup]]


@dataclass(frozen=True)
class Dataset:
    """One dataset.

    Attributes:
        about: one line for people who choose.
        language: of passages and questions; decides how text is cut into tokens for scores.
        scoring: how an answer is scored, see :mod:`pmind.evaluation.scores`.
        read: groups of one official file, plain, ``.gz`` or ``.xz``.
        rows: groups of one split of the Hub's version; the text names dataset and split in errors.
        hub: id of that version, ``owner/name`` or ``owner/name:config``; "" where there is none.
        examples: split of that version that holds solved examples, which :attr:`rows` takes as ``examples``.
        files: patterns of the data files in a folder; the first that matches any file counts.
        grouping: how questions are grouped unless asked otherwise.
        template: texts around a question for models that were not trained with their own.
        max_new_tokens: enough for almost every answer.
        stop: texts that end an answer beside the stop token.
    """

    about: str
    language: Language
    scoring: Scoring
    read: ReadFile
    rows: ReadRows
    hub: str = ""
    examples: str = ""
    files: tuple[str, ...] = ("*.json", "*.json.*", "*.jsonl", "*.jsonl.*")
    grouping: Grouping = "context"
    template: PromptTemplate = PLAIN
    max_new_tokens: int = 32
    stop: tuple[str, ...] = ("\n",)
