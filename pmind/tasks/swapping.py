"""Groups with another group's context: what a model still answers there, it did not read."""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace

from pmind.tasks.records import QuestionGroup

Places = dict[str, list[tuple[int, frozenset[str]]]]  # question text -> groups that ask it, with their answers


def swap_contexts(groups: Sequence[QuestionGroup], seed: int) -> list[QuestionGroup]:
    """Give every group the context of another one; ids, questions and answers stay.

    Preferred is a context that answers most of the group's questions (the very same texts)
    differently: a twin. Else it is a seeded one of another document. A group for which there is
    neither, as when all contexts are empty, is left out, and so is one whose questions bring their own.

    Args:
        groups: of one split.
        seed: which context, where there is no twin.
    """
    places: Places = defaultdict(list)
    for index, group in enumerate(groups):
        for question in group.questions:
            places[question.text].append((index, frozenset(question.answers)))
    rng = random.Random(f"swap/{seed}")
    swapped = []
    for group in groups:
        if group.questions[0].context:
            continue
        other = _twin(group, groups, places) or _stranger(group, groups, rng)
        if other is not None:
            swapped.append(replace(group, context=other.context))
    return swapped


def _twin(group: QuestionGroup, groups: Sequence[QuestionGroup], places: Places) -> QuestionGroup | None:
    """The group that answers most of the questions differently, if it is more than half of them."""
    differing: Counter[int] = Counter()
    for question in group.questions:
        for index, answers in places[question.text]:
            if answers.isdisjoint(question.answers) and groups[index].context not in ("", group.context):
                differing[index] += 1
    index, count = max(differing.items(), key=lambda item: (item[1], -item[0]), default=(0, 0))
    return groups[index] if 2 * count > len(group.questions) else None


def _stranger(group: QuestionGroup, groups: Sequence[QuestionGroup], rng: random.Random) -> QuestionGroup | None:
    others = [
        other for other in groups if other.document != group.document and other.context not in ("", group.context)
    ]
    return rng.choice(others) if others else None
