"""Texts and question groups become samples: what a model is trained on at a step.

A sample depends on the seed and the step alone, so a resumed run sees the data it would have seen.
"""

import random
from collections.abc import Sequence

from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup
from pmind.training.batches import Sample
from pmind.training.passages import Encode, Passage


def pretraining_sample(
    passages: Sequence[Passage],
    encode: Encode,
    rng: random.Random,
    *,
    min_branches: int,
    max_branches: int,
    max_tokens: int,
    shared_context_share: float,
    max_column_offset: int,
) -> Sample:
    """Draw a sample of texts: replays of one passage's sentences beside it, or different passages without context.

    Args:
        passages: to draw from.
        encode: texts to ids.
        rng: decides everything.
        min_branches: fewest branches; their number is drawn uniformly.
        max_branches: most branches.
        max_tokens: longer texts are cut.
        shared_context_share: probability of a common context that every branch replays.
        max_column_offset: each branch is moved to the right by 0 … this many columns.
    """
    branches = rng.randint(min_branches, max_branches)
    if rng.random() < shared_context_share:
        passage = rng.choice(passages)
        context, texts = "".join(passage), replays(passage, branches, rng)
    else:
        context, texts = "", ["".join(rng.choice(passages)) for _ in range(branches)]
    offsets = [rng.randint(0, max_column_offset) for _ in texts] if max_column_offset else None
    return text_sample(context, texts, encode, max_tokens, offsets)


def replays(passage: Passage, count: int, rng: random.Random) -> list[str]:
    """Tell a passage's sentences COUNT times, each time in another order."""
    return ["".join(rng.sample(passage, len(passage))) for _ in range(count)]


def text_sample(
    context: str, texts: Sequence[str], encode: Encode, max_tokens: int, offsets: Sequence[int] | None = None
) -> Sample:
    """A sample whose branches are whole texts without a prompt, cut to ``max_tokens`` tokens each."""
    context_ids, *branches = encode([context.rstrip(), *(text.rstrip() for text in texts)])
    return Sample(
        context=context_ids[:max_tokens],
        prompts=[()] * len(branches),
        answers=[branch[:max_tokens] for branch in branches],
        complete=[len(branch) <= max_tokens for branch in branches],
        column_offsets=offsets,
    )


def finetuning_sample(
    groups: Sequence[QuestionGroup], template: PromptTemplate, encode: Encode, rng: random.Random, *, max_branches: int
) -> Sample:
    """Draw a group, and of its questions between one and ``max_branches``, in any order, as branches."""
    group = rng.choice(groups)
    count = rng.randint(1, min(max_branches, len(group.questions)))
    return question_sample(group, rng.sample(group.questions, count), template, encode)


def question_sample(
    group: QuestionGroup, questions: Sequence[Question], template: PromptTemplate, encode: Encode
) -> Sample:
    """Questions of a group as branches: prompt, then answer, beside the group's context."""
    prompts = [template.render_prompt(question) for question in questions]
    answers = [template.render_answer(question) for question in questions]
    context_ids, *ids = encode([template.render_context(group), *prompts, *answers])
    return Sample(
        context=context_ids,
        prompts=ids[: len(prompts)],
        answers=ids[len(prompts) :],
        complete=[True] * len(questions),
    )


def most_columns(groups: Sequence[QuestionGroup], template: PromptTemplate, encode: Encode) -> int:
    """Columns of the widest group, under any alignment."""
    samples = (question_sample(group, group.questions, template, encode) for group in groups)
    return max(
        len(sample.context) + max(map(len, sample.prompts)) + max(map(len, sample.answers)) for sample in samples
    )
