"""DESIGN 5.1: isolated, r = 0, own — greedy tokens are those of stock ``generate`` on each question alone."""

import itertools

import pytest
from hypothesis import given

from pmind.decoding.options import GenerationOptions
from tests.groups import SHAPES, Group, any_group
from tests.reference import assert_same_tokens, stock_greedy
from tests.tiny import KINDS, decoder_of, stock_model

STOP_IDS = tuple(range(3, 61, 6))  # ten of 61 tokens, so that answers end at different lengths
NEW_TOKENS = 8


@pytest.mark.parametrize("max_groups", [1, 2, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_groups_through_the_decoder(kind, max_groups, compiled):
    """Six groups of very different shapes; two rows mean that rows are refilled."""
    decoder = decoder_of(kind, stop_ids=STOP_IDS, compiled=compiled)
    _check(stock_model(kind), decoder, list(SHAPES.values()), STOP_IDS, max_groups)


@given(group=any_group())
def test_any_group(group, compiled):
    _check(stock_model(), decoder_of(stop_ids=STOP_IDS, compiled=compiled), [group], STOP_IDS)


def test_answers_end_at_different_lengths():
    """Without this the tests above would not notice a column fed for a finished branch."""
    decoder = decoder_of(stop_ids=STOP_IDS)
    answers = decoder.generate_groups(
        [group.request for group in SHAPES.values()], GenerationOptions(max_new_tokens=NEW_TOKENS)
    )
    lengths = [{len(answer.token_ids) for answer in group} for group in answers]
    reasons = {answer.finish_reason for group in answers for answer in group}
    assert reasons == {"stop", "length"}
    assert sum(len(different) > 1 for different in lengths) >= 3


def test_pretrained_stories(stories_decoder, stories_stock):
    context = "Once upon a time there was a little dog named Tim. Tim had a red ball and a big box."
    prompts = ["One day", "The dog", "Lily saw Tim and said", "Then", "A bird wanted the ball, so it"]
    answers = stories_decoder.generate(context, prompts, max_new_tokens=32)
    context_ids = stories_decoder.tokenizer(context)["input_ids"]
    prompt_ids = stories_decoder.tokenizer(prompts, add_special_tokens=False)["input_ids"]
    reference = stock_greedy(stories_stock, [[*context_ids, *ids] for ids in prompt_ids], 32, [2])
    for answer, (expected, scores) in zip(answers, reference, strict=True):
        assert_same_tokens(answer.token_ids, expected, scores)


@pytest.mark.parametrize("shape", SHAPES)
def test_pretrained_on_any_tokens(stories_decoder, stories_stock, shape):
    _check(stories_stock, stories_decoder, [SHAPES[shape]], [2])


def _check(stock, decoder, groups: list[Group], stop_ids, max_groups: int = 1) -> None:
    answers = decoder.generate_groups(
        [group.request for group in groups], GenerationOptions(max_new_tokens=NEW_TOKENS), max_groups=max_groups
    )
    questions = [(*group.context, *prompt) for group in groups for prompt in group.prompts]
    reference = stock_greedy(stock, questions, NEW_TOKENS, stop_ids)
    for answer, (expected, scores) in zip(itertools.chain(*answers), reference, strict=True):
        assert_same_tokens(answer.token_ids, expected, scores)
