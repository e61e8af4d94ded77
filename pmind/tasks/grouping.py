"""Rules that make a dataset's groups fit an experiment; what they leave out is counted."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean
from typing import Literal

from pmind.errors import DataError, ParamsError
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import QuestionGroup

Groups = Sequence[QuestionGroup]
LongContexts = Literal["drop", "truncate"]

TEMPLATE = PromptTemplate()  # an answer has other tokens after a blank than alone


@dataclass(frozen=True)
class Tokens:
    """A tokenizer, as far as grouping needs one.

    Attributes:
        count: length of a text.
        cut: a text's first so many tokens, as text.
    """

    count: Callable[[str], int]
    cut: Callable[[str, int], str]


def split_documents(groups: Groups, test_share: float, seed: int) -> tuple[list[QuestionGroup], list[QuestionGroup]]:
    """Split questions into train and test so that no document is on both sides.

    A group whose questions are documents of their own, as exam questions are, is split within.

    Args:
        groups: of at least two documents.
        test_share: share of questions for test, reached by whole documents.
        seed: which documents.

    Raises:
        DataError: fewer than two documents.
    """
    sizes = Counter(group.document_of(question) for group in groups for question in group.questions)
    if len(sizes) < 2:
        raise DataError(f"{len(sizes)} document cannot be split into train and test. Use a file with more")
    order = random.Random(f"split/{seed}").sample(sorted(sizes), len(sizes))
    test: set[str] = set()
    while order[1:] and sum(sizes[document] for document in test) < test_share * sizes.total():
        test.add(order.pop())
    return _of_documents(groups, set(order)), _of_documents(groups, test)


def _of_documents(groups: Groups, documents: set[str]) -> list[QuestionGroup]:
    chosen = []
    for group in groups:
        questions = tuple(question for question in group.questions if group.document_of(question) in documents)
        if questions:
            chosen.append(replace(group, id=questions[0].id, questions=questions))
    return chosen


def check_disjoint(splits: Mapping[str, Groups]) -> None:
    """Make sure that no document is in two splits.

    Raises:
        DataError: one is; names it.
    """
    home: dict[str, str] = {}
    for split, groups in splits.items():
        for document in (group.document_of(question) for group in groups for question in group.questions):
            if home.setdefault(document, split) != split:
                raise DataError(
                    f"document '{document[:60]}' is in {home[document]} and in {split}. "
                    "Rename it, or use one file and let it be split by document"
                )


def fit_groups(
    groups: Groups,
    *,
    min_questions: int,
    max_questions: int,
    max_context_tokens: int,
    max_groups: int,
    tokens: Tokens,
    seed: int,
    long_contexts: LongContexts = "drop",
) -> tuple[list[QuestionGroup], dict[str, float]]:
    """Cut large groups, leave out small and long ones, and keep a sample.

    Args:
        groups: of one split.
        min_questions: a smaller group is left out.
        max_questions: a larger group is cut into several of about equal size.
        max_context_tokens: most tokens of a context, shared or a question's own.
        max_groups: of more groups a seeded sample is kept.
        tokens: counts a text's tokens, and cuts a text to some.
        seed: which groups are kept.
        long_contexts: whether what has a longer context is left out, or its context cut.

    Returns:
        The groups, and their :func:`group_stats` with the number left out or cut as ``dropped_small_groups``,
        ``dropped_long_contexts`` or ``truncated_contexts``, and ``dropped_groups_over_cap``.

    Raises:
        DataError: nothing is left.
        ParamsError: ``min_questions`` exceeds ``max_questions``.
    """
    if min_questions > max_questions:
        raise ParamsError(f"min_questions {min_questions} exceeds max_questions {max_questions}. Lower it")
    if long_contexts == "truncate":
        fitting, changed = truncate_contexts(groups, max_context_tokens, tokens)
    else:
        fitting, changed = drop_long_contexts(groups, max_context_tokens, tokens)
    pieces = [piece for group in fitting for piece in cut_group(group, max_questions)]
    large = [piece for piece in pieces if len(piece.questions) >= min_questions]
    if not large:
        limits = f"{min_questions} questions and at most {max_context_tokens} context tokens"
        raise DataError(f"none of {len(groups)} groups has at least {limits}. Change these limits in params.yaml")
    kept = _sample(large, max_groups, seed)
    return kept, {
        **group_stats(kept, tokens.count),
        "dropped_small_groups": len(pieces) - len(large),
        "truncated_contexts" if long_contexts == "truncate" else "dropped_long_contexts": changed,
        "dropped_groups_over_cap": len(large) - len(kept),
    }


def drop_long_contexts(groups: Groups, most: int, tokens: Tokens) -> tuple[list[QuestionGroup], int]:
    """Leave out groups whose context has more than MOST tokens, and questions whose own has; tells how many."""
    kept, dropped = [], 0
    for group in groups:
        short = tuple(question for question in group.questions if tokens.count(question.context) <= most)
        if tokens.count(group.context) > most:
            dropped += 1
        elif short:
            kept.append(replace(group, questions=short))
        dropped += len(group.questions) - len(short)
    return kept, dropped


def truncate_contexts(groups: Groups, most: int, tokens: Tokens) -> tuple[list[QuestionGroup], int]:
    """Cut every context to its first MOST tokens; tells how many were cut."""
    kept, cut = [], 0
    for group in groups:
        questions = tuple(replace(question, context=tokens.cut(question.context, most)) for question in group.questions)
        short = replace(group, context=tokens.cut(group.context, most), questions=questions)
        cut += short.context != group.context
        cut += sum(new.context != old.context for new, old in zip(questions, group.questions, strict=True))
        kept.append(short)
    return kept, cut


def cut_group(group: QuestionGroup, max_questions: int) -> list[QuestionGroup]:
    """Cut a group into as few as possible of about equal size; each is named by its first question."""
    questions = group.questions
    parts = -(-len(questions) // max_questions)
    bounds = [len(questions) * part // parts for part in range(parts + 1)]
    pieces = [questions[start:end] for start, end in pairwise(bounds)]
    return [replace(group, id=piece[0].id, questions=piece) for piece in pieces]


def group_stats(groups: Groups, count_tokens: Callable[[str], int]) -> dict[str, float]:
    """Sizes of groups: numbers, and mean and largest lengths in tokens; a question's own context counts as one."""
    shared = [count_tokens(group.context) for group in groups if group.context or not group.questions[0].context]
    questions = [question for group in groups for question in group.questions]
    own = [count_tokens(question.context) for question in questions if question.context]
    asked = [count_tokens(question.text) for question in questions]
    answered = [count_tokens(TEMPLATE.render_answer(question)) for question in questions]
    return {
        "groups": len(groups),
        "questions": len(questions),
        "unanswerable_questions": sum(not question.answers for question in questions),
        "documents": len({group.document_of(question) for group in groups for question in group.questions}),
        "tokens": sum(map(sum, (shared, own, asked, answered))),
        "mean_context_tokens": _mean(shared + own),
        "max_context_tokens": max(shared + own),
        "mean_question_tokens": _mean(asked),
        "mean_answer_tokens": _mean(answered),
    }


def _sample(groups: Groups, count: int, seed: int) -> list[QuestionGroup]:
    """At most COUNT of the groups, in their order."""
    chosen = random.Random(f"sample/{seed}").sample(range(len(groups)), min(count, len(groups)))
    return [groups[index] for index in sorted(chosen)]


def _mean(lengths: Sequence[int]) -> float:
    return round(fmean(lengths), 2)
