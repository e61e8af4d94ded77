"""Rules by which questions come together: by context, at random, by subdomain, or by likeness."""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from pmind.tasks.dataset import Grouping
from pmind.tasks.intake import Intake
from pmind.tasks.records import Question, QuestionGroup
from pmind.tasks.similarity import Embed, similar_batches

Batches = list[list[int]]  # indices of the questions that come together


def regroup(
    groups: Sequence[QuestionGroup],
    rule: Grouping,
    intake: Intake,
    *,
    most: int,
    seed: int,
    threshold: float,
    embed: Embed,
) -> list[QuestionGroup]:
    """Put questions together by a rule other than their dataset's.

    Under ``context`` the groups stay as they are. Under the other rules each question brings its
    context along, and the document that intervals treat as one: the groups are of one split, so
    splits still share none.

    Args:
        groups: of one split, as the dataset gives them.
        rule: ``random``; ``subdomain``, by category in their order; ``similar``, by the questions' texts.
        intake: counts questions that a group would ask twice.
        most: most questions in a group.
        seed: of the random order.
        threshold: least cosine similarity within a group, ``similar`` only.
        embed: texts to vectors, ``similar`` only.
    """
    if rule == "context":
        return list(groups)
    questions = [_alone(group, question) for group in groups for question in group.questions]
    return [
        group
        for batch in _batches(questions, rule, most, seed, threshold, embed)
        for group in batch_groups([questions[index] for index in batch], intake)
    ]


def batch_groups(questions: Sequence[Question], intake: Intake) -> list[QuestionGroup]:
    """A group of QUESTIONS; two where some bring a context and some do not."""
    halves = ([q for q in questions if q.context], [q for q in questions if not q.context])
    distinct = [intake.distinct(half) for half in halves if half]
    return [QuestionGroup(half[0].id, half[0].document, "", half) for half in distinct]


def _alone(group: QuestionGroup, question: Question) -> Question:
    return replace(question, context=question.context or group.context, document=group.document_of(question))


def _batches(
    questions: Sequence[Question], rule: Grouping, most: int, seed: int, threshold: float, embed: Embed
) -> Batches:
    if rule == "similar":
        texts = [question.text for question in questions]
        return similar_batches(texts, threshold=threshold, most=most, embed=embed, seed=seed)
    if rule == "random":
        order = random.Random(f"regroup/{seed}").sample(range(len(questions)), len(questions))
        return _chunks(order, most)
    by_category: dict[str, list[int]] = defaultdict(list)
    for index, question in enumerate(questions):
        by_category[question.category].append(index)
    return [chunk for indices in by_category.values() for chunk in _chunks(indices, most)]


def _chunks(indices: list[int], most: int) -> Batches:
    return [indices[start : start + most] for start in range(0, len(indices), most)]
