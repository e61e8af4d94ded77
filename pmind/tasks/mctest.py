"""MCTest: stories for children with four questions each, MC160 and MC500."""

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError
from pmind.corpora.sources import OPENERS, read_table, require
from pmind.errors import DataError
from pmind.tasks.dataset import Dataset
from pmind.tasks.intake import Intake
from pmind.tasks.race import LETTER_TOKENS, LETTERED, Passage, choice_question, letter_index, passage_groups
from pmind.tasks.records import Question, QuestionGroup

QUESTIONS, OPTIONS = 4, 4
HEAD = 3  # id, properties, story
KINDS = ("one", "multiple")  # sentences needed for an answer


def read_mctest(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Groups of one ``.tsv`` file and the ``.ans`` file beside it; the category is ``one`` or ``multiple`` sentences.

    Raises:
        SchemaError: another schema, an id that occurs twice, or not one line of answers for each story.
        DataError: there is no file of answers.
    """
    answers_path = _answers_path(path)
    stories = read_table(path, header=False, delimiter="\t")
    answers = read_table(answers_path, header=False, delimiter="\t")
    passages = []
    for story, letters in zip_longest(stories, answers):
        if story is None or letters is None:
            longer, other = (path, answers_path) if letters is None else (answers_path, path)
            raise SchemaError((story or letters)[0], f"{longer.name} has more lines than {other.name}")
        passages.append(_story(*story, *letters, intake))
    return passage_groups(passages, intake)


def mctest_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """Groups of the Hub's rows (``story``, ``question``, ``answer_options`` by letter, ``answer``), by story."""
    stories: dict[str, list[Question]] = {}
    for number, row in enumerate(rows):
        at = f"{where} row {number}"
        question = choice_question(
            intake.new_id(f"{where}-{number}", at),
            _unescape(require(row, "question", str, at)),
            list(require(row, "answer_options", dict, at).values()),
            letter_index(require(row, "answer", str, at)),
            at,
            category=KINDS[row["question_is_multiple"]] if "question_is_multiple" in row else "",
        )
        stories.setdefault(_unescape(require(row, "story", str, at)), []).append(question)
    return passage_groups(((story, story, asked) for story, asked in stories.items()), intake)


def _answers_path(path: Path) -> Path:
    name = f"{path.name.partition('.tsv')[0]}.ans"
    for suffix in ("", *OPENERS):
        if path.with_name(name + suffix).is_file():
            return path.with_name(name + suffix)
    raise DataError(
        f"{path}: no answers beside it. Put {name} into its folder; the test sets' come in an archive apart"
    )


def _story(where: str, fields: list[str], answers_where: str, letters: list[str], intake: Intake) -> Passage:
    if len(fields) != HEAD + QUESTIONS * (1 + OPTIONS):
        raise SchemaError(where, f"{len(fields)} fields, expected a story with {QUESTIONS} questions: 23 fields")
    if len(letters) != QUESTIONS:
        raise SchemaError(answers_where, f"{len(letters)} answers, expected {QUESTIONS}")
    name, _, story = fields[:HEAD]
    asked = []
    for index, letter in enumerate(letters):
        head, *options = fields[HEAD + index * (1 + OPTIONS) :][: 1 + OPTIONS]
        kind, _, text = head.partition(":")
        if kind not in KINDS:
            raise SchemaError(where, f"question {index} begins with neither 'one:' nor 'multiple:'")
        right = letter_index(letter.strip())
        if not 0 <= right < OPTIONS:
            raise SchemaError(answers_where, f"answer {index} is '{letter}', expected A, B, C or D")
        identity = intake.new_id(f"{name}-{index}", where)
        asked.append(
            choice_question(identity, _unescape(text), list(map(_unescape, options)), right, where, category=kind)
        )
    return name, _unescape(story), asked


def _unescape(text: str) -> str:
    return text.replace("\\newline", "\n").replace("\\tab", "\t").strip()


MCTEST = Dataset(
    about="stories for children, four questions each with four options (MCTest: MC160, MC500)",
    language="en",
    scoring="choice",
    read=read_mctest,
    rows=mctest_rows,
    hub="sagnikrayc/mctest:mc500",
    files=("mc*.tsv*",),
    template=LETTERED,
    max_new_tokens=LETTER_TOKENS,
)
