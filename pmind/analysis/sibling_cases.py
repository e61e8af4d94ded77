"""Branches whose siblings are changed: which questions, of which groups, and how."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pmind.analysis.finished import FinishedGroup
from pmind.analysis.sibling_changes import CHANGES, LURES, Donor, Scene, first_questions, rank_donors
from pmind.errors import DataError
from pmind.evaluation.text_match import answer_tokens
from pmind.tasks.records import Question, QuestionGroup


@dataclass(frozen=True)
class Case:
    """A branch before and after its siblings changed.

    Attributes:
        kind: name of the change, see :data:`pmind.analysis.sibling_changes.CHANGES`.
        branches: of the group before.
        distance: in branch numbers to the one sibling that may change; ``None`` where all may.
        question: of the branch.
        document: that intervals treat as one.
        target: its branch number.
        siblings: numbers of those that may change.
        before: the group.
        after: the group with changed siblings.
        wrong: text of a planted answer, else ``""``.
    """

    kind: str
    branches: int
    distance: int | None
    question: Question
    document: str
    target: int
    siblings: tuple[int, ...]
    before: FinishedGroup
    after: FinishedGroup
    wrong: str


class CaseMaker:
    """Makes cases of some groups; the same seed makes the same ones.

    Args:
        groups: questions with accepted answers, of at least two documents.
        finished: the same as token ids.
        targets: most branches watched in each group.
        seed: of every choice.

    Raises:
        DataError: there is no other document to take questions from.
    """

    def __init__(
        self, groups: Sequence[QuestionGroup], finished: Sequence[FinishedGroup], *, targets: int, seed: int
    ) -> None:
        if len({group.document for group in groups}) < 2:
            raise DataError("changed siblings come from other documents; give groups of at least two documents")
        self._groups, self._finished = groups, finished
        self._targets, self._seed = targets, seed

    def cases(self, kinds: Sequence[str], branches: int, distance: int | None = None) -> Iterator[Case]:
        """Cases of groups of at least BRANCHES questions, cut to as many.

        Args:
            kinds: of change.
            branches: questions of a group, at least two.
            distance: only siblings so far off change, one of them; all when omitted.
        """
        for place, (group, finished) in enumerate(zip(self._groups, self._finished, strict=True)):
            if len(group.questions) < branches:
                continue
            cut = first_questions(finished, branches)
            targets = random.Random(f"{self._seed}/{group.id}").sample(cut.numbers, min(self._targets, branches))
            for target in targets:
                siblings = self._siblings(cut, target, distance)
                question = group.questions[target - 1]
                if siblings and question.answers:
                    scene = self._scene(place, cut, target, siblings)
                    yield from self._changes(kinds, scene, question, group.document_of(question), distance)

    def _siblings(self, group: FinishedGroup, target: int, distance: int | None) -> tuple[int, ...]:
        others = tuple(number for number in group.numbers if number != target)
        if distance is None:
            return others
        near = [number for number in others if abs(number - target) == distance]
        rng = random.Random(f"{self._seed}/{group.context}/{target}/{distance}")
        return tuple(rng.sample(near, min(len(near), 1)))

    def _scene(self, place: int, group: FinishedGroup, target: int, siblings: tuple[int, ...]) -> Scene:
        document, question = self._groups[place].document, self._groups[place].questions[target - 1]
        donors = [
            Donor(prompt, answer, other.answers[0])
            for source, finished in zip(self._groups, self._finished, strict=True)
            if source.document != document
            for other, prompt, answer in zip(source.questions, finished.prompts, finished.answers, strict=True)
            if other.answers
        ]
        rng = random.Random(f"{self._seed}/{question.id}")  # the same lure at every distance
        ranked = rank_donors(group.prompts[group.numbers.index(target)], donors, rng)
        right = [answer_tokens(answer) for answer in question.answers]
        wrong = next((donor for donor in ranked if answer_tokens(donor.text) not in right), None)
        if wrong is None:
            raise DataError(f"every other document answers as question '{question.id}' does; give more groups")
        return Scene(group, target, siblings, ranked, wrong)

    def _changes(
        self, kinds: Sequence[str], scene: Scene, question: Question, document: str, distance: int | None
    ) -> Iterator[Case]:
        for kind in kinds:
            rng = random.Random(f"{self._seed}/{question.id}/{kind}/{distance}")
            wrong = scene.wrong.text if kind in LURES else ""
            after = CHANGES[kind](scene, rng)
            branches = len(scene.group.numbers)
            groups = scene.group, after
            yield Case(kind, branches, distance, question, document, scene.target, scene.siblings, *groups, wrong)
