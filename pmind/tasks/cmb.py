"""Chinese medical questions in CMB-Exam's schema (multiple choice) and CMB-Clin's (free text)."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pmind.corpora.sources import require
from pmind.errors import DataError
from pmind.tasks.records import LETTERS, Question, QuestionGroup

SINGLE_CHOICE = "单项选择题"

Case = tuple[str, str]  # document, background


def cmb_groups(items: Any, where: str, dropped: Counter[str], max_questions: int) -> list[QuestionGroup]:
    """Make groups of a CMB-Exam or a CMB-Clin file, whichever it is; a group's id is its first question's.

    Raises:
        DataError: another schema, or an id that occurs twice; names the item.
    """
    if not isinstance(items, list) or not items:
        raise DataError(f"{where}: expected a list of CMB-Exam questions or CMB-Clin cases")
    if isinstance(items[0], dict) and "QA_pairs" in items[0]:
        return clin_groups(items, where, dropped)
    return exam_groups(items, where, dropped, max_questions)


def exam_groups(items: list, where: str, dropped: Counter[str], max_questions: int) -> list[QuestionGroup]:
    """Group multiple-choice questions by the ``background`` they share.

    The document is the item's ``case`` where it names one, else the background. Questions
    without a background are gathered by ``exam_subject``, MAX_QUESTIONS at a time, with an empty
    context, and each such group is a document of its own.

    Args:
        items: what ``json.load`` gives for a CMB-Exam file.
        where: file or dataset, heads every error.
        dropped: counts questions left out: ``multiple_answer_questions``,
            ``questions_without_right_option``, ``duplicate_questions`` (asked before in the group).
        max_questions: most questions in a group without a background.

    Raises:
        DataError: another schema, or an id that occurs twice; names the item.
    """
    cases: dict[Case, dict[str, Question]] = {}
    ids: set[str] = set()
    for number, item in enumerate(items):
        at = f"{where}: item {number}"
        question = _exam_question(item, _new_id("exam", item, number, ids, at), at, dropped)
        if question is not None:
            _keep(cases.setdefault(_case(item), {}), question, dropped)
    return [
        group for case, asked in cases.items() for group in _exam_groups(case, tuple(asked.values()), max_questions)
    ]


def clin_groups(items: list, where: str, dropped: Counter[str]) -> list[QuestionGroup]:
    """Make one group of each case; answers are free text, the document is the case's title.

    Args:
        items: what ``json.load`` gives for a CMB-Clin file.
        where: file or dataset, heads every error.
        dropped: counts questions left out: ``unanswerable_questions`` (blank answer),
            ``duplicate_questions`` (asked before in the case).

    Raises:
        DataError: another schema, or an id that occurs twice; names the case.
    """
    groups = []
    ids: set[str] = set()
    for number, item in enumerate(items):
        at = f"{where}: item {number}"
        asked: dict[str, Question] = {}
        identity = _new_id("clin", item, number, ids, at)
        for index, pair in enumerate(require(item, "QA_pairs", list, at)):
            _keep(asked, _clin_question(pair, f"{identity}-{index}", f"{at}.QA_pairs[{index}]"), dropped)
        if asked:
            questions = tuple(asked.values())
            document = str(item.get("title") or identity)
            groups.append(QuestionGroup(questions[0].id, document, require(item, "description", str, at), questions))
    return groups


def _new_id(kind: str, item: Any, number: int, ids: set[str], where: str) -> str:
    if not isinstance(item, dict):
        raise DataError(f"{where}: expected an object, found {type(item).__name__}")
    identity = f"{kind}-{item.get('id', number)}"
    if identity in ids:
        raise DataError(f"{where}: id '{item['id']}' occurs twice. Make ids unique")
    ids.add(identity)
    return identity


def _keep(asked: dict[str, Question], question: Question, dropped: Counter[str]) -> None:
    if not question.answers:
        dropped["unanswerable_questions"] += 1
    elif question.text in asked:
        dropped["duplicate_questions"] += 1
    else:
        asked[question.text] = question


def _case(item: dict) -> Case:
    background = (item.get("background") or "").strip()
    if background:
        return str(item.get("case") or background), background
    return str(item.get("exam_subject") or "exam"), ""


def _exam_groups(case: Case, questions: tuple[Question, ...], max_questions: int) -> Iterator[QuestionGroup]:
    document, background = case
    if background:
        yield QuestionGroup(questions[0].id, document, background, questions)
        return
    for start in range(0, len(questions), max_questions):
        chunk = questions[start : start + max_questions]
        yield QuestionGroup(chunk[0].id, f"{document}-{start}", "", chunk)


def _exam_question(item: dict, identity: str, where: str, dropped: Counter[str]) -> Question | None:
    text, answer = _text(item, "question", where), require(item, "answer", str, where).strip()
    choices = {letter: str(option or "").strip() for letter, option in require(item, "option", dict, where).items()}
    if require(item, "question_type", str, where) != SINGLE_CHOICE or len(answer) > 1:
        dropped["multiple_answer_questions"] += 1
        return None
    options = tuple(option for option in choices.values() if option)  # CMB leaves unused letters blank
    right = choices.get(answer)
    if not right or not 2 <= len(options) <= len(LETTERS):
        dropped["questions_without_right_option"] += 1
        return None
    return Question(identity, text, (right,), options, options.index(right))


def _clin_question(pair: Any, identity: str, where: str) -> Question:
    answer = require(pair, "answer", str, where).strip()
    return Question(identity, _text(pair, "question", where), (answer,) if answer else ())


def _text(record: Any, name: str, where: str) -> str:
    text = require(record, name, str, where).strip()
    if not text:
        raise DataError(f"{where}.{name}: is empty")
    return text
