"""Answer rows for tests: what a test does not name is plain."""

from dataclasses import replace

from pmind.evaluation.rows import AnswerRow
from pmind.tasks.records import Question, QuestionGroup

PLAIN = AnswerRow(
    question_id="q", group_id="g", document="d", category="", dataset="squad", scoring="squad", branch=1,
    method="parallel", prompt="?", question="?", references=("x",), options=(), correct=(), text="", token_ids=(1,),
    finish_reason="stop", columns=(3, 4),
)  # fmt: skip


def row(**changes: object) -> AnswerRow:
    """A row that differs from a plain one in CHANGES."""
    return replace(PLAIN, **changes)


def answered(group: QuestionGroup, question: Question, **changes: object) -> AnswerRow:
    """A row of QUESTION, which GROUP asks."""
    return row(
        **{
            "question_id": question.id,
            "group_id": group.id,
            "document": group.document_of(question),
            "category": question.category,
            "question": question.text,
            "references": question.answers,
            "options": question.options,
            "correct": question.correct,
        }
        | changes
    )
