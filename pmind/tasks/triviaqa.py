"""Trivia questions to be answered from memory (TriviaQA)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pmind.corpora.places import naming_lines
from pmind.corpora.sources import parse_json, read_text, require, require_text
from pmind.tasks.dataset import Dataset
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup

UNKNOWN = "<unk>"  # the Hub's answer to a question of the test set
HUB_NAMES = {"value": "Value", "aliases": "Aliases", "normalized_aliases": "NormalizedAliases", "type": "Type"}


def triviaqa_groups(data: Any, where: str, intake: Intake) -> list[QuestionGroup]:
    """Make one group of each question; evidence documents are not read.

    The first answer is the question's own; its aliases count as well, as written and normalised,
    and the answers that people gave in the verified set. The category is the kind of answer.

    Args:
        data: what ``json.load`` gives for a TriviaQA file, filtered or not.
        where: file or dataset, heads every error.
        intake: notes ids and what is left out: ``unanswered_questions``, as in the test files.

    Raises:
        SchemaError: another schema, or an id that occurs twice; names the question.
    """
    groups = []
    for number, entry in enumerate(require(data, "Data", list, where)):
        groups += _group(entry, f"{where}: Data[{number}]", intake)
    return groups


def read_triviaqa(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Groups of one file; see :func:`triviaqa_groups`."""
    text = read_text(path)
    with naming_lines(path, text):
        return triviaqa_groups(parse_json(text, path), str(path), intake)


def triviaqa_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """Groups of the Hub's rows (``question_id``, ``question``, ``answer``), whichever configuration they are of."""
    groups = []
    for number, row in enumerate(rows):
        at = f"{where} row {number}"
        entry = {"QuestionId": require(row, "question_id", str, at), "Question": require(row, "question", str, at)}
        answer = require(row, "answer", dict, at)
        if answer.get("value") != UNKNOWN:
            entry["Answer"] = {HUB_NAMES[name]: value for name, value in answer.items() if name in HUB_NAMES}
        groups += _group(entry, at, intake)
    return groups


def _group(entry: Any, where: str, intake: Intake) -> list[QuestionGroup]:
    """The group of one question, none where the question has no answer."""
    identity = intake.new_id(require(entry, "QuestionId", str, where), where)
    text = require_text(entry, "Question", where)
    if "Answer" not in entry:
        intake.drop("unanswered_questions")
        return []
    answer = require(entry, "Answer", dict, where)
    answers = _answers(answer, f"{where}.Answer")
    question = Question(identity, text, answers, document=identity, category=str(answer.get("Type") or ""))
    return [QuestionGroup(identity, identity, "", (question,))]


def _answers(answer: Mapping[str, Any], where: str) -> tuple[str, ...]:
    aliases = [require(answer, name, list, where) for name in ("Aliases", "NormalizedAliases")]
    aliases += [require(answer, "HumanAnswers", list, where)] if "HumanAnswers" in answer else []
    texts = [require_text(answer, "Value", where), *(str(text).strip() for texts in aliases for text in texts)]
    return tuple(dict.fromkeys(filter(None, texts)))


TRIVIAQA = Dataset(
    about="trivia questions without passages, answers with aliases (TriviaQA)",
    language="en",
    scoring="squad",
    read=read_triviaqa,
    rows=triviaqa_rows,
    hub="mandarjoshi/trivia_qa:rc.nocontext",
    files=("unfiltered-web-*.json*", "wikipedia-*.json*", "web-*.json*", "*.json", "*.json.*"),
    grouping="random",
    template=PromptTemplate(prompt="Question: {question}?\nAnswer:"),  # lm-evaluation-harness adds a mark, too
)
