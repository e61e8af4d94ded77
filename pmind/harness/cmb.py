"""CMB's questions as the tasks in ``tasks/cmb`` ask them, from a folder of the official release.

The folder comes as ``--metadata '{"cmb": "FOLDER"}'``; files are found in it by their official
names, packed (``.gz``, ``.xz``) or not. Prompts are those of the authors' answer-only setting
(https://github.com/FreedomIntelligence/CMB, "Prompt format"), around their roles 问 and 答.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict

from pmind.corpora.places import naming_lines
from pmind.corpora.sources import OPENERS, parse_json, read_text, require, require_text
from pmind.errors import DataError
from pmind.evaluation.metrics.overlap import corpus_bleu4, rouge
from pmind.tasks.cmb import read_cmb
from pmind.tasks.intake import Intake

QUESTIONS, ANSWERS = "CMB-test-choice-question-merge.json", "CMB-test-choice-answer.json"
EXAMPLES, CASES = "CMB-val-merge.json", "CMB-Clin-qa.json"
SINGLE_ANSWER = "单项选择题"

Pairs = Sequence[tuple[str, str]]  # prediction, reference
logger = logging.getLogger(__name__)


def exam(exam_class: str, cmb: str = "", cmb_subject: str = "", **_: Any) -> DatasetDict:
    """Single-answer questions of CMB-Exam: ``test``, and ``val`` for examples where its file is there.

    Questions with several right options, which no letter answers, are left out and counted in the log.

    Args:
        exam_class: one of the 28.
        cmb: folder of the release.
        cmb_subject: only this ``exam_subject``.

    Raises:
        DataError: no folder, a file is missing or of another schema, or it has no such questions.
    """
    folder = _folder(cmb)
    answers = _answers(_find(folder, ANSWERS))
    asked = _entries(_need(folder, QUESTIONS), exam_class, cmb_subject, answers)
    if not asked:
        raise DataError(f"{cmb}: no single-answer questions of {exam_class} {cmb_subject}".rstrip())
    examples = _find(folder, EXAMPLES)
    shown = _entries(examples, exam_class, "", {}) if examples else []
    return DatasetDict({"test": Dataset.from_list(asked), "val": Dataset.from_list(shown)})


def clin(cmb: str = "", **_: Any) -> DatasetDict:
    """Questions of CMB-Clin, each with its case; those of a case share a prefix, and none sees an answer.

    The authors ask them in turn, with the model's own answers before; here they are independent.

    Raises:
        DataError: no folder, or the file is missing or of another schema.
    """
    documents = [
        {"case": group.document, "description": group.context, "question": question.text, "answer": question.answers[0]}
        for group in read_cmb(_need(_folder(cmb), CASES), Intake())
        for question in group.questions
    ]
    return DatasetDict({"test": Dataset.from_list(documents)})


def clin_results(document: Mapping[str, str], results: Sequence[str]) -> dict[str, Any]:
    """Scores of one answer, between 0 and 1: ROUGE by characters; BLEU-4 is taken over all answers."""
    pair = (results[0].strip(), document["answer"])
    return {"bleu4": pair, **rouge(pair[0], [pair[1]], "zh")}


def bleu4(pairs: Pairs) -> float:
    """BLEU-4 of all answers, sacrebleu's ``zh`` tokens."""
    return corpus_bleu4([prediction for prediction, _ in pairs], [[reference] for _, reference in pairs], "zh")


def _folder(cmb: str) -> Path:
    if not cmb or not Path(cmb).is_dir():
        raise DataError(f'CMB: no folder {cmb!r}; name the official release\'s by --metadata \'{{"cmb": "FOLDER"}}\'')
    return Path(cmb)


def _find(folder: Path, name: str) -> Path | None:
    return next((path for end in ("", *OPENERS) for path in sorted(folder.rglob(name + end))), None)


def _need(folder: Path, name: str) -> Path:
    path = _find(folder, name)
    if path is None:
        raise DataError(f"{folder}: no {name} in it; unpack the official release there")
    return path


@cache
def _items(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Items of a file with their places; 28 tasks read the same one."""
    items = parse_json(read_text(path), path)
    if not isinstance(items, list):
        raise DataError(f"{path}: expected a list of questions")
    return [(f"{path}: [{number}]", item) for number, item in enumerate(items)]


def _answers(path: Path | None) -> dict[int, str]:
    """By id; the questions of the test come without theirs."""
    if path is None:
        return {}
    with naming_lines(path, read_text(path)):
        return {require(item, "id", int, at): require(item, "answer", str, at) for at, item in _items(path)}


def _entries(path: Path, exam_class: str, subject: str, answers: Mapping[int, str]) -> list[dict[str, Any]]:
    with naming_lines(path, read_text(path)):
        asked = list(_of_class(path, exam_class, subject))
        entries = [_entry(item, answers, at) for at, item in asked]
    kept = [entry for entry in entries if entry]
    if len(kept) < len(entries):
        logger.info(
            "%s: %s: %d questions without one right option left out", path, exam_class, len(entries) - len(kept)
        )
    return kept


def _of_class(path: Path, exam_class: str, subject: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for at, item in _items(path):
        named = require(item, "exam_class", str, at) == exam_class
        if named and subject in ("", require(item, "exam_subject", str, at)):
            yield at, item


def _entry(item: dict[str, Any], answers: Mapping[int, str], at: str) -> dict[str, Any] | None:
    options = {letter: (text or "").strip() for letter, text in require(item, "option", dict, at).items()}
    letters = [letter for letter, text in options.items() if text]  # CMB leaves unused letters blank
    answer = (item.get("answer") or answers.get(item.get("id"), "")).strip()
    if require(item, "question_type", str, at) != SINGLE_ANSWER or answer not in letters:
        return None
    told = {name: require_text(item, name, at) for name in ("exam_type", "exam_class", "exam_subject", "question")}
    return told | {
        "question_type": SINGLE_ANSWER,
        "options": "\n".join(f"{letter}. {options[letter]}" for letter in letters),
        "letters": letters,
        "right": letters.index(answer),
    }
