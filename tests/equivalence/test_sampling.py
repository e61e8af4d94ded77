"""DESIGN 5.10: a sampled or penalised answer depends on the seed, the context and its own question only."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmind.decoding.branches import GroupRequest
from pmind.decoding.options import GenerationOptions
from pmind.models.settings import Settings
from tests.groups import SHAPES, any_group
from tests.reference import assert_same_tokens, stock_greedy
from tests.tiny import KINDS, decoder_of, stock_model

SAMPLED = GenerationOptions(
    max_new_tokens=8, do_sample=True, temperature=1.3, top_k=20, top_p=0.95, repetition_penalty=1.2, seed=5
)
STOP_IDS = (3, 17, 29, 44)


@pytest.mark.parametrize("shape", SHAPES)
def test_siblings_do_not_matter(shape, compiled):
    _check_alone_and_together(decoder_of("qwen3", stop_ids=STOP_IDS, compiled=compiled), SHAPES[shape].request, SAMPLED)


@given(group=any_group(), seed=st.integers(0, 99))
def test_siblings_do_not_matter_in_any_group(group, seed, compiled):
    options = GenerationOptions(max_new_tokens=4, do_sample=True, temperature=1.5, seed=seed)
    _check_alone_and_together(decoder_of(stop_ids=STOP_IDS, compiled=compiled), group.request, options)


def test_siblings_do_not_matter_with_a_branch_axis(compiled):
    """Isolated and own with r > 0, branch numbers kept."""
    settings = Settings(rope_2d_ratio=0.5, branch_stride=5, branch_encoding="offset")
    _check_alone_and_together(decoder_of(settings=settings, compiled=compiled), SHAPES["ordinary"].request, SAMPLED)


def test_order_and_groups_side_by_side_do_not_matter(compiled):
    decoder = decoder_of(stop_ids=STOP_IDS, compiled=compiled)
    requests = [group.request for group in SHAPES.values()]
    backwards = [GroupRequest(request.context, request.prompts[::-1]) for request in reversed(requests)]
    first = decoder.generate_groups(requests, SAMPLED, max_groups=1)
    second = decoder.generate_groups(backwards, SAMPLED, max_groups=4)
    assert [answers[::-1] for answers in reversed(second)] == first


def test_the_seed_matters():
    decoder = decoder_of()
    request = SHAPES["ordinary"].request
    answers = [
        decoder.generate_groups([request], GenerationOptions(max_new_tokens=8, do_sample=True, seed=seed))[0]
        for seed in (0, 0, 1)
    ]
    assert answers[0] == answers[1]
    assert all(first != second for first, second in zip(answers[0], answers[2], strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_repetition_penalty_is_that_of_stock_generate(kind, compiled):
    """Context, own prompt and own answer are penalised, siblings are not."""
    groups = list(SHAPES.values())
    decoder = decoder_of(kind, stop_ids=STOP_IDS, compiled=compiled)
    options = GenerationOptions(max_new_tokens=8, repetition_penalty=1.7)
    answers = decoder.generate_groups([group.request for group in groups], options, max_groups=2)
    questions = [(*group.context, *prompt) for group in groups for prompt in group.prompts]
    reference = stock_greedy(stock_model(kind), questions, 8, STOP_IDS, repetition_penalty=1.7)
    for answer, (expected, scores) in zip(itertools.chain(*answers), reference, strict=True):
        assert_same_tokens(answer.token_ids, expected, scores)


def test_repetition_penalty_on_the_pretrained_model(stories_decoder, stories_stock):
    context, prompts = "Once upon a time there was a dog.", ["The dog", "A cat", "One day the dog said"]
    answers = stories_decoder.generate(context, prompts, max_new_tokens=24, repetition_penalty=1.5)
    request = stories_decoder.encode_group(context, prompts)
    questions = [(*request.context, *prompt) for prompt in request.prompts]
    reference = stock_greedy(stories_stock, questions, 24, [2], repetition_penalty=1.5)
    for answer, (expected, scores) in zip(answers, reference, strict=True):
        assert_same_tokens(answer.token_ids, expected, scores)


def _check_alone_and_together(decoder, request: GroupRequest, options: GenerationOptions) -> None:
    together = decoder.generate_groups([request], options)[0]
    for number, prompt, answer in zip(request.numbers, request.prompts, together, strict=True):
        alone = decoder.generate_groups([GroupRequest(request.context, (prompt,), (number,))], options)[0][0]
        assert answer == alone
