"""AGIEval v1: human exams with lettered options, some about a shared passage, and mathematics in free text."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError
from pmind.corpora.sources import read_json_lines, require, require_text
from pmind.tasks.dataset import Dataset, Language
from pmind.tasks.exams import split_name
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import LETTERS, Question, QuestionGroup, passage_document

ENGLISH = (  # subjects by the language of their prompts, as in the authors' code
    "lsat-ar lsat-lr lsat-rc logiqa-en sat-math sat-en aqua-rat sat-en-without-passage gaokao-english math"
)
CHINESE = (
    "logiqa-zh jec-qa-kd jec-qa-ca gaokao-chinese gaokao-geography gaokao-history gaokao-biology gaokao-chemistry "
    "gaokao-physics gaokao-mathqa gaokao-mathcloze"
)
SUBJECTS: Mapping[str, Language] = dict.fromkeys(ENGLISH.split(), "en") | dict.fromkeys(CHINESE.split(), "zh")
PRINTED = re.compile(r"\s*(?:\([A-H]\)|[A-H]\s*[.．、。:：?？])\s*")  # "(A)", " A. ", "A．": the data has them all


@dataclass(frozen=True)
class Part:
    """Which of the benchmark's questions belong together.

    Attributes:
        language: of the subjects.
        options: whether questions have options, or are answered in free text.
        query: the Hub's text of a whole prompt, taken apart into passage and question.
    """

    language: Language
    options: bool
    query: re.Pattern[str]


ENGLISH_CHOICE = Part(
    "en", True, re.compile(r"(.*)Q: (.*?) Answer Choices: .*\nA: Among A through [A-H], the answer is\s*", re.DOTALL)
)
CHINESE_CHOICE = Part("zh", True, re.compile(r"(.*)问题：(.*?) 选项：.*\n答案：从A到[A-H], 我们应选择\s*", re.DOTALL))
ENGLISH_CLOZE = Part("en", False, re.compile(r"(.*)Q: (.*)\nA: The answer is\s*", re.DOTALL))
CHINESE_CLOZE = Part("zh", False, re.compile(r"(.*)问题：(.*)\n答案：\s*", re.DOTALL))


def read_agieval(path: Path, intake: Intake, *, part: Part = ENGLISH_CHOICE) -> list[QuestionGroup]:
    """Groups of one subject's file, named after it (``sat-en.jsonl``).

    Questions about one passage are a group. The others of the subject are together in one group:
    those with a passage of their own, and those with none.

    Args:
        path: a file of ``{"passage", "question", "options", "label", "answer"}`` a line.
        intake: notes ids and what is left out: ``duplicate_questions``, ``questions_without_right_option``,
            and what is of another PART: ``questions_in_another_language``, ``questions_without_options``,
            ``questions_with_options``.
        part: questions to take.

    Raises:
        DataError: another schema; names the line.
    """
    return _groups(read_json_lines(path), split_name(str(path)), intake, part)


def agieval_rows(
    rows: Iterable[Mapping[str, Any]], where: str, intake: Intake, *, part: Part = ENGLISH_CHOICE
) -> list[QuestionGroup]:
    """Groups of the Hub's rows (``query``, ``choices``, ``gold``; or ``query``, ``answer``) of one subject.

    Args:
        rows: of ``owner/agieval-SUBJECT``; their query is the authors' prompt, with passage and options.
        where: dataset and split.
        intake: see :func:`read_agieval`.
        part: questions to take.

    Raises:
        DataError: another schema, or a query of another form; names the row.
    """
    subject = where.split()[0].rpartition("/")[2].removeprefix("agieval-")
    entries = ((f"{where} row {number}", row) for number, row in enumerate(rows))
    return _groups(((at, _row_entry(row, part, at)) for at, row in entries), subject, intake, part)


def _groups(placed: Iterable[tuple[str, Any]], subject: str, intake: Intake, part: Part) -> list[QuestionGroup]:
    asked: dict[str, list[Question]] = {}
    for number, (where, entry) in enumerate(placed):
        question = _question(entry, f"{subject}-{number}", subject, where, intake, part)
        if question is not None:
            passage = (_or_none(entry, "passage", str, where) or "").strip()
            asked.setdefault(passage, []).append(question)
    groups = []
    for passage, document, questions in _bundles(asked, subject):
        distinct = intake.distinct(questions)
        groups.append(QuestionGroup(distinct[0].id, document, passage, distinct))
    return groups


def _bundles(asked: Mapping[str, list[Question]], subject: str) -> Iterator[tuple[str, str, list[Question]]]:
    """Passage, document and questions of each group."""
    alone, bare = [], []
    for passage, questions in asked.items():
        document = passage_document(passage)
        if not passage:
            bare = [replace(question, document=question.id) for question in questions]
        elif len(questions) > 1:
            yield passage, document, questions
        else:
            alone.append(replace(questions[0], context=passage, document=document))
    yield from (("", subject, rest) for rest in (alone, bare) if rest)


def _question(entry: Any, identity: str, subject: str, where: str, intake: Intake, part: Part) -> Question | None:
    text = require_text(entry, "question", where)
    printed = _or_none(entry, "options", list, where)
    if SUBJECTS.get(subject, part.language) != part.language:
        intake.drop("questions_in_another_language")
        return None
    if bool(printed) != part.options:
        intake.drop("questions_with_options" if printed else "questions_without_options")
        return None
    identity = intake.new_id(identity, where)
    if not printed:
        return Question(identity, text, (require_text(entry, "answer", where),), category=subject)
    options, right = _options(printed, where), _right(entry, where)
    if not right or right[-1] >= len(options):
        intake.drop("questions_without_right_option")
        return None
    return Question(identity, text, tuple(options[index] for index in right), options, right, category=subject)


def _options(printed: list[Any], where: str) -> tuple[str, ...]:
    """The options without the letters printed before them; a bare letter is one only where all have theirs."""
    for index, option in enumerate(printed):
        if not isinstance(option, str):
            raise SchemaError(f"{where}.options[{index}]", f"expected a text, found {type(option).__name__}")
    bare = [re.match(rf"\s*{letter}\s+", option) for letter, option in zip(LETTERS, printed, strict=False)]
    marks = [PRINTED.match(option) for option in printed]
    if all(mark or letter for mark, letter in zip(marks, bare, strict=False)):
        marks = [mark or letter for mark, letter in zip(marks, bare, strict=False)]
    return tuple(option[mark.end() if mark else 0 :].strip() for option, mark in zip(printed, marks, strict=True))


def _right(entry: Any, where: str) -> tuple[int, ...]:
    """Indices of a label: "A", "ACD", "A C" or ["A", "C", "D"]."""
    label = entry.get("label")
    if not isinstance(label, str | list):
        raise SchemaError(f"{where}.label", f"expected a text or a list, found {type(label).__name__}")
    letters = set(re.findall(f"[{LETTERS}]", "".join(map(str, label))))
    return tuple(index for index, letter in enumerate(LETTERS) if letter in letters)


def _row_entry(row: Any, part: Part, where: str) -> dict[str, Any]:
    taken = part.query.fullmatch(require(row, "query", str, where))
    if taken is None:
        kind = "with options" if part.options else "without options"
        raise SchemaError(f"{where}.query", f"is no prompt of AGIEval {kind} in language '{part.language}'")
    entry = {"passage": taken[1], "question": taken[2], "options": None}
    if not part.options:
        return {**entry, "answer": require(row, "answer", str, where)}
    gold = [LETTERS[index] for index in require(row, "gold", list, where)]
    return {**entry, "options": require(row, "choices", list, where), "label": gold}


def _or_none(entry: Any, name: str, kind: type, where: str) -> Any:
    return None if isinstance(entry, Mapping) and entry.get(name, "") is None else require(entry, name, kind, where)


AGIEVAL = Dataset(
    about="exams for humans in English: SAT, LSAT, Gaokao, GMAT; lettered options (AGIEval v1)",
    language="en",
    scoring="choice",
    read=partial(read_agieval, part=ENGLISH_CHOICE),
    rows=partial(agieval_rows, part=ENGLISH_CHOICE),
    hub="hails/agieval-sat-en",
    files=("*.jsonl*",),
    template=PromptTemplate(
        prompt="Q: {question}\nAnswer Choices:\n{options}\nA: Among these, the answer is", choice="letter"
    ),
    max_new_tokens=8,
)
AGIEVAL_ZH = replace(
    AGIEVAL,
    about="exams for humans in Chinese: Gaokao, law, logic; lettered options (AGIEval v1)",
    language="zh",
    read=partial(read_agieval, part=CHINESE_CHOICE),
    rows=partial(agieval_rows, part=CHINESE_CHOICE),
    hub="hails/agieval-gaokao-chinese",
    template=PromptTemplate(
        prompt="问题：{question}\n选项：\n{options}\n答案：我们应选择", answer="{answer}", choice="letter"
    ),
)
AGIEVAL_CLOZE = replace(
    AGIEVAL,
    about="competition mathematics in English, free answers (AGIEval v1)",
    scoring="squad",
    read=partial(read_agieval, part=ENGLISH_CLOZE),
    rows=partial(agieval_rows, part=ENGLISH_CLOZE),
    hub="hails/agieval-math",
    template=PromptTemplate(prompt="Q: {question}\nA: The answer is"),
    max_new_tokens=32,
)
AGIEVAL_CLOZE_ZH = replace(
    AGIEVAL_CLOZE,
    about="Gaokao mathematics in Chinese, free answers (AGIEval v1)",
    language="zh",
    read=partial(read_agieval, part=CHINESE_CLOZE),
    rows=partial(agieval_rows, part=CHINESE_CLOZE),
    hub="hails/agieval-gaokao-mathcloze",
    template=PromptTemplate(prompt="问题：{question}\n答案：", answer="{answer}"),
)
