"""Rules that make a dataset's groups fit an experiment; what they leave out is counted."""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import fmean

from pmind.errors import DataError, ParamsError
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import QuestionGroup

CountTokens = Callable[[str], int]
Groups = Sequence[QuestionGroup]

TEMPLATE = PromptTemplate()  # an answer has other tokens after a blank than alone


def split_documents(groups: Groups, test_share: float, seed: int) -> tuple[list[QuestionGroup], list[QuestionGroup]]:
    """Split groups into train and test so that no document is on both sides.

    Args:
        groups: of at least two documents.
        test_share: share of groups for test, reached by whole documents.
        seed: which documents.

    Raises:
        DataError: fewer than two documents.
    """
    by_document: dict[str, list[QuestionGroup]] = defaultdict(list)
    for group in groups:
        by_document[group.document].append(group)
    if len(by_document) < 2:
        raise DataError(f"{len(by_document)} document cannot be split into train and test. Use a file with more")
    order = random.Random(f"split/{seed}").sample(sorted(by_document), len(by_document))
    test: list[QuestionGroup] = []
    while order[1:] and len(test) < test_share * len(groups):
        test += by_document[order.pop()]
    return [group for document in order for group in by_document[document]], test


def check_disjoint(splits: Mapping[str, Groups]) -> None:
    """Make sure that no document is in two splits.

    Raises:
        DataError: one is; names it.
    """
    home: dict[str, str] = {}
    for split, groups in splits.items():
        for group in groups:
            if home.setdefault(group.document, split) != split:
                raise DataError(
                    f"document '{group.document[:60]}' is in {home[group.document]} and in {split}. "
                    "Rename it, or use one file and let it be split by document"
                )


def fit_groups(
    groups: Groups,
    *,
    min_questions: int,
    max_questions: int,
    max_context_tokens: int,
    max_groups: int,
    count_tokens: CountTokens,
    seed: int,
) -> tuple[list[QuestionGroup], dict[str, float]]:
    """Cut large groups, leave out small and long ones, and keep a sample.

    Args:
        groups: of one split.
        min_questions: a smaller group is left out.
        max_questions: a larger group is cut into several of about equal size.
        max_context_tokens: a group with a longer context is left out.
        max_groups: of more groups a seeded sample is kept.
        count_tokens: length of a text.
        seed: which groups are kept.

    Returns:
        The groups, and their :func:`group_stats` with the number of groups left out as
        ``dropped_small_groups``, ``dropped_long_contexts`` and ``dropped_groups_over_cap``.

    Raises:
        DataError: nothing is left.
        ParamsError: ``min_questions`` exceeds ``max_questions``.
    """
    if min_questions > max_questions:
        raise ParamsError(f"min_questions {min_questions} exceeds max_questions {max_questions}. Lower it")
    pieces = [piece for group in groups for piece in cut_group(group, max_questions)]
    large = [piece for piece in pieces if len(piece.questions) >= min_questions]
    short = [piece for piece in large if count_tokens(piece.context) <= max_context_tokens]
    if not short:
        limits = f"{min_questions} questions and at most {max_context_tokens} context tokens"
        raise DataError(f"none of {len(pieces)} groups has at least {limits}. Change these limits in params.yaml")
    kept = _sample(short, max_groups, seed)
    return kept, {
        **group_stats(kept, count_tokens),
        "dropped_small_groups": len(pieces) - len(large),
        "dropped_long_contexts": len(large) - len(short),
        "dropped_groups_over_cap": len(short) - len(kept),
    }


def cut_group(group: QuestionGroup, max_questions: int) -> list[QuestionGroup]:
    """Cut a group into as few as possible of about equal size; each is named by its first question."""
    questions = group.questions
    parts = -(-len(questions) // max_questions)
    bounds = [len(questions) * part // parts for part in range(parts + 1)]
    pieces = [questions[start:end] for start, end in pairwise(bounds)]
    return [replace(group, id=piece[0].id, questions=piece) for piece in pieces]


def group_stats(groups: Groups, count_tokens: CountTokens) -> dict[str, float]:
    """Sizes of groups: numbers, and mean and largest lengths in tokens."""
    contexts = [count_tokens(group.context) for group in groups]
    questions = [question for group in groups for question in group.questions]
    return {
        "groups": len(groups),
        "questions": len(questions),
        "documents": len({group.document for group in groups}),
        "mean_context_tokens": _mean(contexts),
        "max_context_tokens": max(contexts),
        "mean_question_tokens": _mean([count_tokens(question.text) for question in questions]),
        "mean_answer_tokens": _mean([count_tokens(TEMPLATE.render_answer(question)) for question in questions]),
    }


def _sample(groups: Groups, count: int, seed: int) -> list[QuestionGroup]:
    """At most COUNT of the groups, in their order."""
    chosen = random.Random(f"sample/{seed}").sample(range(len(groups)), min(count, len(groups)))
    return [groups[index] for index in sorted(chosen)]


def _mean(lengths: Sequence[int]) -> float:
    return round(fmean(lengths), 2)
