"""What reading a dataset keeps track of: ids met, and what was left out for which reason."""

from collections import Counter

from pmind.corpora.places import SchemaError
from pmind.tasks.records import Question


class Intake:
    """Shared by all files of one dataset.

    Attributes:
        dropped: how many questions were left out, by reason (``unanswered_questions``, …).
    """

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        self._places: dict[str, str] = {}

    def new_id(self, identity: str, where: str) -> str:
        """Note an id and give it back.

        Raises:
            SchemaError: it was met before; names both places.
        """
        if identity in self._places:
            first = self._places[identity]
            raise SchemaError(where, f"id '{identity}' occurs twice, first at {first}. Make ids unique")
        self._places[identity] = where
        return identity

    def drop(self, reason: str, count: int = 1) -> None:
        """Count questions that are left out."""
        self.dropped[reason] += count

    def distinct(self, questions: list[Question]) -> tuple[Question, ...]:
        """Leave out questions that were asked before in the same group, and count them."""
        kept: dict[tuple[str, str, tuple[str, ...]], Question] = {}
        for question in questions:
            kept.setdefault(question.asked, question)
        self.drop("duplicate_questions", len(questions) - len(kept))
        return tuple(kept.values())
