"""Chinese medical questions in CMB-Exam's schema (lettered options) and CMB-Clin's (free text)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError, naming_lines
from pmind.corpora.sources import OPENERS, parse_json, read_text, require, require_text
from pmind.errors import DataError
from pmind.tasks.dataset import Dataset
from pmind.tasks.exams import split_name
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import LETTERS, Question, QuestionGroup

ANSWERS = "CMB-test-choice-answer.json"  # the official test questions come without theirs
BETWEEN = " ,，、"

Case = tuple[str, str]  # document, background


def cmb_groups(items: Any, where: str, intake: Intake) -> list[QuestionGroup]:
    """Make groups of CMB-Exam questions or CMB-Clin cases, whichever they are; a group's id is its first question's.

    Raises:
        SchemaError: another schema, or an id that occurs twice; names the item.
    """
    if not isinstance(items, list) or not items:
        raise SchemaError(where, "expected a list of CMB-Exam questions or CMB-Clin cases")
    if isinstance(items[0], dict) and "QA_pairs" in items[0]:
        return clin_groups(items, where, intake)
    return exam_groups(items, where, intake)


def exam_groups(items: Iterable[Any], where: str, intake: Intake) -> list[QuestionGroup]:
    """Group questions with options by the ``background`` they share; the others by ``exam_subject``.

    The document is the item's ``case`` where it names one, else the background. A question without
    a background is a document of its own. The category is the subject; it is the term that the
    questions have in common where items are groups of questions by ``medical_term``.

    Args:
        items: CMB-Exam questions, or groups of them: ``{"background" or "medical_term", "questions"}``.
        where: file or dataset, heads every error.
        intake: notes ids and what is left out: ``unanswered_questions``, ``questions_without_right_option``,
            ``duplicate_questions`` (asked before in the group).

    Raises:
        SchemaError: another schema, or an id that occurs twice; names the item.
    """
    cases: dict[Case, list[Question]] = {}
    for place, item, number in _exam_items(items, where):
        identity = intake.new_id(_identity("exam", item, number, where), place)
        question = _exam_question(item, identity, place, intake)
        if question is not None:
            cases.setdefault(_case(item), []).append(question)
    groups = []
    for (document, background), asked in cases.items():
        questions = intake.distinct(asked)
        if not background:
            questions = tuple(replace(question, document=question.id) for question in questions)
        groups.append(QuestionGroup(questions[0].id, document, background, questions))
    return groups


def clin_groups(items: Iterable[Any], where: str, intake: Intake) -> list[QuestionGroup]:
    """Make one group of each case; answers are free text, the document is the case's title.

    Args:
        items: CMB-Clin cases.
        where: file or dataset, heads every error.
        intake: notes ids and what is left out: ``unanswered_questions``, ``duplicate_questions``
            (asked before in the case).

    Raises:
        SchemaError: another schema, or an id that occurs twice; names the case.
    """
    groups = []
    for number, item in enumerate(items):
        at = f"{where}: [{number}]"
        pairs = require(item, "QA_pairs", list, at)
        identity = intake.new_id(_identity("clin", item, str(number), where), at)
        asked = [_clin_question(pair, f"{identity}-{i}", f"{at}.QA_pairs[{i}]") for i, pair in enumerate(pairs)]
        answered = [question for question in asked if question.answers]
        intake.drop("unanswered_questions", len(asked) - len(answered))
        if answered:
            questions = intake.distinct(answered)
            document = str(item.get("title") or identity)
            groups.append(QuestionGroup(questions[0].id, document, require(item, "description", str, at), questions))
    return groups


def read_cmb(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Groups of one file; see :func:`cmb_groups`.

    Test questions without answers take theirs by ``id`` from the official file of answers beside them.
    """
    text = read_text(path)
    with naming_lines(path, text):
        items = parse_json(text, path)
        if isinstance(items, list) and items and isinstance(items[0], dict) and items[0].keys() >= {"id", "option"}:
            items = items if "answer" in items[0] else _with_answers(items, path)
        return cmb_groups(items, str(path), intake)


def cmb_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """Groups of the Hub's rows, whose fields are the files'."""
    return cmb_groups(list(rows), where, intake)


def _exam_items(items: Iterable[Any], where: str) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Place and number of each question; what a group tells of its questions is told of each."""
    for number, item in enumerate(items):
        at = f"{where}: [{number}]"
        if "questions" not in _object(item, at):
            yield at, item, str(number)
            continue
        shared = {name: item[name] for name in ("background", "case", "medical_term") if name in item}
        for index, entry in enumerate(require(item, "questions", list, at)):
            place = f"{at}.questions[{index}]"
            yield place, {**_object(entry, place), **shared}, f"{number}-{index}"


def _object(item: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(item, Mapping):
        raise SchemaError(where, f"expected an object, found {type(item).__name__}")
    return item


def _identity(kind: str, item: Mapping[str, Any], number: str, where: str) -> str:
    given = item.get("id")
    return f"{kind}-{split_name(where)}-{number}" if given is None else f"{kind}-{given}"


def _category(item: Mapping[str, Any]) -> str:
    return str(item.get("medical_term") or item.get("exam_subject") or "")


def _case(item: Mapping[str, Any]) -> Case:
    background = (item.get("background") or "").strip()
    if background:
        return str(item.get("case") or background), background
    return _category(item) or "exam", ""


def _exam_question(item: Mapping[str, Any], identity: str, where: str, intake: Intake) -> Question | None:
    text = require_text(item, "question", where)
    right = set(require(item, "answer", str, where)) - set(BETWEEN)
    choices = {letter: str(option or "").strip() for letter, option in require(item, "option", dict, where).items()}
    offered = [letter for letter, option in choices.items() if option]  # CMB leaves unused letters blank
    if not right:
        intake.drop("unanswered_questions")
        return None
    if not right <= set(offered) or not 2 <= len(offered) <= len(LETTERS):
        intake.drop("questions_without_right_option")
        return None
    correct = tuple(index for index, letter in enumerate(offered) if letter in right)
    options = tuple(choices[letter] for letter in offered)
    answers = tuple(options[index] for index in correct)
    return Question(identity, text, answers, options, correct, category=_category(item))


def _clin_question(pair: Any, identity: str, where: str) -> Question:
    answer = require(pair, "answer", str, where).strip()
    return Question(identity, require_text(pair, "question", where), (answer,) if answer else ())


def _with_answers(items: list[Any], path: Path) -> list[Any]:
    file = next((file for file in (path.with_name(ANSWERS + end) for end in ("", *OPENERS)) if file.is_file()), None)
    if file is None:
        raise DataError(f"{path}: its questions have no answers. Put {ANSWERS} beside it")
    text, answers = read_text(file), {}
    with naming_lines(file, text):
        for number, entry in enumerate(parse_json(text, file)):
            at = f"{file}: [{number}]"
            answers[require(entry, "id", int, at)] = require(entry, "answer", str, at)
    return [{**item, "answer": answers.get(item.get("id"), "")} for item in items]


CMB = Dataset(
    about="Chinese medical exams and clinical cases, whichever the source holds (CMB)",
    language="zh",
    scoring="choice",
    read=read_cmb,
    rows=cmb_rows,
    hub="fzkuji/CMB-Exam-Grouped:context",
    files=("*merge.json*", "CMB-Clin-qa.json*", "*.json", "*.json.*"),
    max_new_tokens=32,
)
CMB_EXAM = replace(  # prompt of the authors' answer-only setting, without the exam's names
    CMB,
    about="Chinese medical exams, one or several right options (CMB-Exam)",
    template=PromptTemplate(
        context="{context}\n",
        prompt="以下是中国医学考试的一道选择题，不需要做任何分析和解释，直接输出答案选项。\n{question}\n{options}\n答案：",
        answer="{answer}",
        choice="letter",
    ),
    max_new_tokens=16,
)
CMB_CLIN = replace(  # prompt and length of the authors' setting
    CMB,
    about="74 Chinese clinical cases, answered in free text (CMB-Clin)",
    scoring="text",
    hub="FreedomIntelligence/CMB:CMB-Clin",
    files=("CMB-Clin-qa.json*", "*.json", "*.json.*"),
    template=PromptTemplate(
        context="以下是一位病人的病例：\n{context}\n\n", prompt="问题：{question}\n答案：", answer="{answer}"
    ),
    max_new_tokens=512,
    stop=("\n问题：",),
)
