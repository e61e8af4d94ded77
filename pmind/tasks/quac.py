"""Conversations about a section of an article (QuAC v0.2); a question may lean on those before it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pmind.corpora.places import SchemaError, naming_lines
from pmind.corpora.sources import parse_json, read_text, require, require_text
from pmind.tasks.dataset import Dataset
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup

CANNOT = "CANNOTANSWER"  # ends every passage of the release, so that annotators could mark it
KINDS = {"y": "yes", "n": "no", "x": "text"}  # in the order of the Hub's class labels


def quac_groups(data: Any, where: str, intake: Intake) -> list[QuestionGroup]:
    """Make one group of each conversation, its questions in their order; its document is the article.

    The context is the passage without the final ``CANNOTANSWER``, under title and section: they say
    who "he" is in a question that is asked alone. ``CANNOTANSWER`` is an answer like any other, as
    in the official evaluation; the category then is "unanswerable", else yes, no or text.

    Args:
        data: what ``json.load`` gives for a QuAC file.
        where: file or dataset, heads every error.
        intake: notes ids and what is left out: ``unanswered_questions``, ``duplicate_questions``.

    Raises:
        SchemaError: another schema, or an id that occurs twice; names article, paragraph and question.
    """
    groups = []
    for index, article in enumerate(require(data, "data", list, where)):
        at = f"{where}: data[{index}]"
        title = require_text(article, "title", at)
        for number, paragraph in enumerate(require(article, "paragraphs", list, at)):
            section = str(article.get("section_title") or "")
            groups += _group(title, section, paragraph, f"{at}.paragraphs[{number}]", intake)
    return groups


def read_quac(path: Path, intake: Intake) -> list[QuestionGroup]:
    """Groups of one file; see :func:`quac_groups`."""
    text = read_text(path)
    with naming_lines(path, text):
        return quac_groups(parse_json(text, path), str(path), intake)


def quac_rows(rows: Iterable[Mapping[str, Any]], where: str, intake: Intake) -> list[QuestionGroup]:
    """Groups of the Hub's rows, one conversation each (``questions``, ``turn_ids``, ``answers.texts``, …)."""
    groups = []
    for number, row in enumerate(rows):
        at = f"{where} row {number}"
        paragraph = {"context": require(row, "context", str, at), "qas": list(_row_entries(row, at))}
        title = require_text(row, "wikipedia_page_title", at)
        groups += _group(title, str(row.get("section_title") or ""), paragraph, at, intake)
    return groups


def accepted(answers: Sequence[str], original: str) -> tuple[str, ...]:
    """The answers that count, of all that annotators gave.

    At a tie or more ``CANNOTANSWER`` alone counts, else it does not count (``handle_cannot`` of the
    official ``scorer.py``). Equal answers stay, since official F1 leaves out one annotator at a time.

    Args:
        answers: one of each annotator.
        original: the one that was given in the conversation; comes first, as it is what is trained on.

    Example:
        >>> accepted(["in May", "CANNOTANSWER", "May"], "May")
        ('May', 'in May')
        >>> accepted(["in May", "CANNOTANSWER"], "in May")
        ('CANNOTANSWER',)
    """
    spans = [answer for answer in answers if answer != CANNOT]
    if 2 * len(spans) <= len(answers):
        return (CANNOT,) if answers else ()
    return tuple(sorted(spans, key=lambda answer: answer != original))


def _group(title: str, section: str, paragraph: Any, where: str, intake: Intake) -> list[QuestionGroup]:
    """The group of one conversation, none where no question has an answer."""
    entries = enumerate(require(paragraph, "qas", list, where))
    questions = [_question(entry, f"{where}.qas[{number}]", intake) for number, entry in entries]
    answered = [question for question in questions if question.answers]
    intake.drop("unanswered_questions", len(questions) - len(answered))
    distinct = intake.distinct(answered)
    passage = require_text(paragraph, "context", where).removesuffix(CANNOT).rstrip()
    heading = " - ".join(filter(None, (title, section)))
    context = f"TITLE: {heading}\nPARAGRAPH: {passage}"
    return [QuestionGroup(distinct[0].id, title, context, distinct)] if distinct else []


def _question(entry: Any, where: str, intake: Intake) -> Question:
    identity = intake.new_id(require(entry, "id", str, where), where)
    given = require(entry, "answers", list, where)
    texts = [require(answer, "text", str, f"{where}.answers[{i}]").strip() for i, answer in enumerate(given)]
    original = require(require(entry, "orig_answer", dict, where), "text", str, f"{where}.orig_answer").strip()
    answers = accepted([text for text in texts if text], original)
    yesno = require(entry, "yesno", str, where)
    if yesno not in KINDS:
        raise SchemaError(f"{where}.yesno", f"expected one of {', '.join(KINDS)}, found {yesno!r}")
    kind = "unanswerable" if answers == (CANNOT,) else KINDS[yesno]
    return Question(identity, require_text(entry, "question", where), answers, category=kind)


def _row_entries(row: Mapping[str, Any], where: str) -> Iterator[dict[str, Any]]:
    """A row's questions as they stand in a file."""
    columns = [require(row, name, list, where) for name in ("turn_ids", "questions", "yesnos")]
    columns += [require(require(row, name, dict, where), "texts", list, where) for name in ("answers", "orig_answers")]
    if len({len(column) for column in columns}) > 1:
        raise SchemaError(where, "turn_ids, questions, yesnos, answers and orig_answers are not of one length")
    labels = dict(enumerate(KINDS))
    for identity, question, yesno, answers, original in zip(*columns, strict=True):
        yield {
            "id": identity,
            "question": question,
            "yesno": labels.get(yesno, str(yesno)),
            "answers": [{"text": text} for text in answers],
            "orig_answer": {"text": original},
        }


QUAC = Dataset(
    about="conversations about sections of Wikipedia articles, answered by spans (QuAC)",
    language="en",
    scoring="quac",
    read=read_quac,
    rows=quac_rows,
    hub="allenai/quac",
    template=PromptTemplate(context="{context}\n\n", prompt="Q: {question}\n\nA:"),
    max_new_tokens=64,
)
