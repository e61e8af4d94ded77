"""Lossless means lossless: all methods give the same answers without a branch axis."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmind.decoding.options import GenerationOptions
from pmind.models.settings import Settings
from tests.groups import SHAPES, any_group
from tests.passes import PASSES, answer_groups
from tests.reference import assert_same_tokens, stock_greedy
from tests.tiny import decoder_of, stock_model

OPTIONS = GenerationOptions(max_new_tokens=6)
STOP_IDS = tuple(range(3, 61, 6))


@pytest.mark.parametrize("branches", [1, 3, 100])
@pytest.mark.parametrize("kind", ["llama_gqa", "qwen3"])
def test_on_every_shape(kind, branches, compiled):
    groups = list(SHAPES.values())
    decoder = decoder_of(kind, stop_ids=STOP_IDS, compiled=compiled)
    questions = [(*group.context, *prompt) for group in groups for prompt in group.prompts]
    reference = stock_greedy(stock_model(kind), questions, OPTIONS.max_new_tokens, STOP_IDS)
    for method in PASSES.values():
        answers = answer_groups(
            decoder, method, [group.request for group in groups], OPTIONS, branches=branches, max_groups=2
        )
        assert [len(group) for group in answers] == [len(group.prompts) for group in groups]
        for answer, (expected, scores) in zip(itertools.chain(*answers), reference, strict=True):
            assert_same_tokens(answer.token_ids, expected, scores)


@given(group=any_group(), branches=st.integers(1, 9))
def test_on_any_group(group, branches, compiled):
    decoder = decoder_of(stop_ids=STOP_IDS, compiled=compiled)
    answers = [
        answer_groups(decoder, method, [group.request], OPTIONS, branches=branches) for method in PASSES.values()
    ]
    assert all(answer == answers[0] for answer in answers)


def test_on_the_pretrained_model(stories_decoder):
    context, prompts = "Once upon a time there was a dog.", ["The dog", "A cat", "One day the dog said", "Tim"]
    request = stories_decoder.encode_group(context, prompts)
    answers = [
        answer_groups(stories_decoder, method, [request], GenerationOptions(max_new_tokens=24))
        for method in PASSES.values()
    ]
    assert all(answer == answers[0] for answer in answers)


def test_sequential_and_batch_agree_on_a_trained_checkpoint(compiled):
    """With r > 0 both put every question as branch 1; parallel numbers its branches and may differ."""
    settings = Settings(rope_2d_ratio=0.5, branch_stride=5, visibility="columnar", alignment="right")
    decoder = decoder_of("qwen3", settings, STOP_IDS, compiled=compiled)
    requests = [group.request for group in SHAPES.values()]
    answers = {name: answer_groups(decoder, method, requests, OPTIONS) for name, method in PASSES.items()}
    assert answers["sequential"] == answers["batch"] == answers["sequential_cached"]
    assert answers["sequential"] != answers["parallel"]
