"""Groups in which a branch's siblings were changed, while the branch keeps its number and its tokens.

::

    before            changed           removed           permuted          planted
    branch 1  mine    branch 1  mine    branch 1  mine    branch 1  mine    branch 1  mine
    branch 2  r       branch 2  x       .                 branch 2  s       branch 2  mine + wrong answer
    branch 3  s       branch 3  y       .                 branch 3  r       branch 3  s
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pmind.analysis.finished import FinishedGroup, TokenIds


@dataclass(frozen=True)
class Donor:
    """A question of another document, to stand in for a sibling.

    Attributes:
        prompt: its ids.
        answer: ids of its accepted answer.
        text: of that answer.
    """

    prompt: TokenIds
    answer: TokenIds
    text: str


@dataclass(frozen=True)
class Scene:
    """A branch among its siblings, and what may replace them.

    Attributes:
        group: as it is.
        target: number of the branch that is watched.
        siblings: numbers of those that are changed; the others stay.
        donors: of other documents, the one most like the target's question first.
        wrong: what is planted: an answer that is not the target's.
    """

    group: FinishedGroup
    target: int
    siblings: tuple[int, ...]
    donors: tuple[Donor, ...]
    wrong: Donor

    def part(self, number: int) -> tuple[TokenIds, TokenIds]:
        """Prompt and answer of a branch."""
        place = self.group.numbers.index(number)
        return self.group.prompts[place], self.group.answers[place]

    def replaced(self, parts: dict[int, tuple[TokenIds, TokenIds]]) -> FinishedGroup:
        """The group with other prompts and answers under some numbers; new numbers come at the end."""
        numbers = (*self.group.numbers, *(number for number in parts if number not in self.group.numbers))
        prompts, answers = zip(*(parts.get(number) or self.part(number) for number in numbers), strict=True)
        return FinishedGroup(self.group.context, prompts, answers, numbers)


Change = Callable[[Scene, random.Random], FinishedGroup]


def changed(scene: Scene, rng: random.Random) -> FinishedGroup:
    """Siblings ask questions of other groups, as long as their own where there are such."""
    parts = {}
    for number in scene.siblings:
        length = len(scene.part(number)[0])
        least = min(abs(len(donor.prompt) - length) for donor in scene.donors)
        fitting = [donor for donor in scene.donors if abs(len(donor.prompt) - length) == least]
        parts[number] = _asked(rng.choice(fitting))
    return scene.replaced(parts)


def similar(scene: Scene, rng: random.Random) -> FinishedGroup:
    """Siblings ask what is most like the target's question, of other groups."""
    return _by_rank(scene, scene.donors)


def different(scene: Scene, rng: random.Random) -> FinishedGroup:
    """Siblings ask what is least like the target's question, of other groups."""
    return _by_rank(scene, scene.donors[::-1])


def removed(scene: Scene, rng: random.Random) -> FinishedGroup:
    """Siblings are gone."""
    kept = [place for place, number in enumerate(scene.group.numbers) if number not in scene.siblings]
    prompts, answers, numbers = (
        tuple(values[place] for place in kept)
        for values in (scene.group.prompts, scene.group.answers, scene.group.numbers)
    )
    return FinishedGroup(scene.group.context, prompts, answers, numbers)


def duplicated(scene: Scene, rng: random.Random) -> FinishedGroup:
    """One more branch asks what a sibling asks."""
    return scene.replaced({max(scene.group.numbers) + 1: scene.part(rng.choice(scene.siblings))})


def twinned(scene: Scene, rng: random.Random) -> FinishedGroup:
    """A sibling asks the target's own question."""
    return scene.replaced({rng.choice(scene.siblings): scene.part(scene.target)})


def permuted(scene: Scene, rng: random.Random) -> FinishedGroup:
    """Siblings change places, each with the next; one alone stays."""
    moved = (*scene.siblings[1:], scene.siblings[0])
    return scene.replaced({number: scene.part(other) for number, other in zip(scene.siblings, moved, strict=True)})


def planted(scene: Scene, rng: random.Random) -> FinishedGroup:
    """A sibling's prompt is the target's question with a wrong answer behind it."""
    return _told(scene, rng.choice(scene.siblings), scene.part(scene.target)[0], scene.wrong.answer)


def confirmed(scene: Scene, rng: random.Random) -> FinishedGroup:
    """The same with the right answer."""
    return _told(scene, rng.choice(scene.siblings), *scene.part(scene.target))


def answered(scene: Scene, rng: random.Random) -> FinishedGroup:
    """A sibling's prompt is its own question with its own answer behind it: the form of what is planted, no lure."""
    number = rng.choice(scene.siblings)
    return _told(scene, number, *scene.part(number))


def misanswered(scene: Scene, rng: random.Random) -> FinishedGroup:
    """A sibling that asks the target's question is made to answer it wrongly."""
    return scene.replaced({rng.choice(scene.siblings): (scene.part(scene.target)[0], scene.wrong.answer)})


CHANGES: dict[str, Change] = {
    change.__name__: change
    for change in (
        *(changed, similar, different, removed, duplicated, twinned, permuted),
        *(planted, confirmed, answered, misanswered),
    )
}
TOLD = ("misanswered",)  # what a decoder cannot be made to do: a sibling's answer is its own
LURES = ("planted", "misanswered")


def rank_donors(prompt: TokenIds, donors: Sequence[Donor], rng: random.Random) -> tuple[Donor, ...]:
    """DONORS by likeness to PROMPT: the share of token ids they have in common (Jaccard), ties at random.

    Example:
        >>> donors = [Donor((7, 8), (), "x"), Donor((1, 2), (), "y")]
        >>> [donor.text for donor in rank_donors((1, 2, 3), donors, random.Random(0))]
        ['y', 'x']
    """
    mine = set(prompt)
    shuffled = rng.sample(list(donors), len(donors))
    return tuple(sorted(shuffled, key=lambda donor: -len(mine & {*donor.prompt}) / len(mine | {*donor.prompt})))


def first_questions(group: FinishedGroup, count: int) -> FinishedGroup:
    """The group with its first COUNT branches."""
    return replace(group, prompts=group.prompts[:count], answers=group.answers[:count], numbers=group.numbers[:count])


def _asked(donor: Donor) -> tuple[TokenIds, TokenIds]:
    return donor.prompt, donor.answer


def _by_rank(scene: Scene, ranked: Sequence[Donor]) -> FinishedGroup:
    return scene.replaced({number: _asked(ranked[place % len(ranked)]) for place, number in enumerate(scene.siblings)})


def _told(scene: Scene, number: int, question: TokenIds, answer: TokenIds) -> FinishedGroup:
    return scene.replaced({number: (question + answer, ())})
