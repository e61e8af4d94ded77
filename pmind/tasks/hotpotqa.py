"""Questions that need two Wikipedia articles among ten (HotpotQA), also without any article."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError, naming_lines
from pmind.corpora.sources import parse_json, read_text, require, require_text
from pmind.tasks.dataset import Dataset
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup

TASK = "Answer the question based on the given passages. Only give me the answer and do not output any other words."


def hotpot_groups(data: Any, where: str, intake: Intake) -> list[QuestionGroup]:
    """Make one group of each question, which brings its passages along.

    Its document is the question itself, since every question has passages of its own; its category
    the type, bridge or comparison. An entry without ``context``, as in the simplified development
    set, is a closed-book question; it may lack an id, too, and is then named by file and index.

    Args:
        data: what ``json.load`` gives for a HotpotQA file, distractor or fullwiki.
        where: file or dataset, heads every error.
        intake: notes ids and what is left out: ``unanswered_questions``, as in the test file.

    Raises:
        SchemaError: another schema, or an id that occurs twice; names the entry.
    """
    if not isinstance(data, list):
        raise SchemaError(where, f"expected a list of questions, found {type(data).__name__}")
    stem = Path(where).name.split(".")[0]
    return [
        group
        for number, entry in enumerate(data)
        for group in _group(entry, f"{stem}-{number}", f"{where}: [{number}]", intake)
    ]


def read_hotpot(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Groups of one file; see :func:`hotpot_groups`."""
    text = read_text(path)
    with naming_lines(path, text):
        return hotpot_groups(parse_json(text, path), str(path), intake)


def hotpot_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """Groups of the Hub's rows, whose ``context`` is an object of the columns ``title`` and ``sentences``."""
    groups = []
    for number, row in enumerate(rows):
        at = f"{where} row {number}"
        entry = {**row, "_id": require(row, "id", str, at), "context": _passages(row, at)}
        groups += _group(entry, "", at, intake)
    return groups


def passages_text(context: list[tuple[str, list[str]]]) -> str:
    r"""The passages as one text, numbered as LongBench numbers them.

    Example:
        >>> passages_text([("Alu", ["A spirit.", " It roams."]), ("Lilu", ["A demon."])])
        'Passage 1:\nAlu\nA spirit. It roams.\nPassage 2:\nLilu\nA demon.'
    """
    passages = enumerate(context, start=1)
    return "\n".join(f"Passage {number}:\n{title}\n{''.join(text).strip()}" for number, (title, text) in passages)


def _group(entry: Any, unnamed: str, where: str, intake: Intake) -> list[QuestionGroup]:
    """The group of one question, none where the question has no answer."""
    text = require_text(entry, "question", where)
    named = "_id" in entry or "context" in entry
    identity = intake.new_id(require(entry, "_id", str, where) if named else unnamed, where)
    answer = require(entry, "answer", str, where).strip() if entry.get("answer") else ""
    if not answer:
        intake.drop("unanswered_questions")
        return []
    question = Question(
        identity,
        text,
        (answer,),
        context=_context(entry, where) if "context" in entry else "",
        document=identity,
        category=require(entry, "type", str, where),
    )
    return [QuestionGroup(identity, identity, "", (question,))]


def _context(entry: Mapping[str, Any], where: str) -> str:
    passages = require(entry, "context", list, where)
    for number, passage in enumerate(passages):
        match passage:
            case [str(), [*sentences]] if all(isinstance(sentence, str) for sentence in sentences):
                continue
        raise SchemaError(f"{where}.context[{number}]", "expected a title and a list of sentences")
    if not passages:
        raise SchemaError(f"{where}.context", "is empty")
    return passages_text(passages)


def _passages(row: Mapping[str, Any], where: str) -> list[list[Any]]:
    """The passages of a row as they stand in a file."""
    columns = require(row, "context", dict, where)
    titles, sentences = (require(columns, name, list, f"{where}.context") for name in ("title", "sentences"))
    return [list(pair) for pair in zip(titles, sentences, strict=False)]


HOTPOTQA = Dataset(
    about="questions that need two of ten Wikipedia paragraphs (HotpotQA, distractor setting)",
    language="en",
    scoring="hotpot",
    read=read_hotpot,
    rows=hotpot_rows,
    hub="hotpotqa/hotpot_qa:distractor",
    files=("hotpot_*distractor*.json*", "hotpot_train*.json*", "*.json", "*.json.*"),
    grouping="random",
    template=PromptTemplate(
        context=f"{TASK}\n\nThe following are given passages.\n{{context}}\n\n{TASK}\n\n",  # LongBench's
        prompt="Question: {question}\nAnswer:",
    ),
)
HOTPOTQA_FULLWIKI = replace(
    HOTPOTQA,
    about="questions that need two Wikipedia paragraphs, ten retrieved (HotpotQA, fullwiki setting)",
    hub="hotpotqa/hotpot_qa:fullwiki",
    files=("hotpot_*fullwiki*.json*", "*.json", "*.json.*"),
)
