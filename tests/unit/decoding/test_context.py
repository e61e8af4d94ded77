"""A context that is read once and kept: ``ParallelDecoder.prefill``."""

from unittest import mock

import pytest
import torch

from pmind.decoding.branches import GroupRequest
from pmind.decoding.options import GenerationOptions
from pmind.decoding.reader import Reader
from pmind.errors import DecodingError, LayoutError
from pmind.models.settings import STOCK, Settings
from tests.tiny import decoder_of

TEXT, PROMPTS, OTHERS = "w5 w9 w12 w7 w33", ["w3 w4", "w8", "w20 w21 w22"], ["w40", "w1 w2"]
CONTINUATIONS = [["w6", "w7 w8"], ["w1"], []]
COLUMNAR = Settings(rope_2d_ratio=0.5, branch_stride=5, visibility="columnar", alignment="right")
OPTIONS = GenerationOptions(max_new_tokens=6)


@pytest.fixture(scope="module", params=[STOCK, COLUMNAR], ids=["isolated", "columnar"])
def decoder(request, compiled):
    return decoder_of("qwen3", request.param, compiled=compiled)


def counting_reads():
    return mock.patch.object(Reader, "read_context", autospec=True, side_effect=Reader.read_context)


def test_answers_and_scores_are_those_of_the_text(decoder):
    """Twice, so that the first call is seen to leave the context as it was."""
    context = decoder.prefill(TEXT)
    keys, values = context.keys.clone(), context.values.clone()
    expected = [decoder.generate(TEXT, PROMPTS, OPTIONS), decoder.score(TEXT, PROMPTS, CONTINUATIONS)]
    with counting_reads() as read:
        for _ in range(2):
            answers, scores = (
                decoder.generate(context, PROMPTS, OPTIONS),
                decoder.score(context, PROMPTS, CONTINUATIONS),
            )
            assert [answers, scores] == expected
    assert read.call_count == 0
    assert context.keys.equal(keys)
    assert context.values.equal(values)


def test_a_text_and_its_tokens_are_read_alike(decoder):
    request = decoder.encode_group(TEXT, PROMPTS)
    first, second = decoder.prefill(TEXT), decoder.prefill(request.context)
    assert first.token_ids == second.token_ids == request.context
    assert first.keys.equal(second.keys)


def test_two_groups_at_a_time_read_one_context(decoder):
    context = decoder.prefill(TEXT)
    requests = [decoder.encode_group(context, prompts) for prompts in (PROMPTS, OTHERS)]
    together = decoder.generate_groups(requests, OPTIONS, max_groups=2)
    assert together == [decoder.generate(TEXT, prompts, OPTIONS) for prompts in (PROMPTS, OTHERS)]


def test_its_bytes(decoder):
    config, context = decoder.model.config, decoder.prefill(TEXT)
    assert context.bytes == 2 * config.num_hidden_layers * config.num_key_value_heads * 5 * config.head_dim * 4


def test_once_freed_it_is_refused(decoder):
    context = decoder.prefill(TEXT)
    context.free()
    assert context.bytes == 0
    for use in (lambda: decoder.generate(context, PROMPTS), lambda: decoder.score(context, PROMPTS, CONTINUATIONS)):
        with pytest.raises(DecodingError, match="this context was freed"):
            use()


@pytest.mark.parametrize("columns", [1, 3])
def test_freeing_it_does_not_harm_a_group_that_was_started(decoder, columns):
    context = decoder.prefill(TEXT)
    events = decoder.stream_groups([decoder.encode_group(context, PROMPTS)], OPTIONS)
    begun = [next(events) for _ in range(columns)]
    context.free()
    assert [*begun, *events] == list(decoder.stream_groups([decoder.encode_group(TEXT, PROMPTS)], OPTIONS))


def test_a_group_with_another_context_cannot_read_it(decoder):
    request = decoder.encode_group(TEXT, PROMPTS)
    with pytest.raises(LayoutError, match="not the one that was read"):
        GroupRequest(request.context, request.prompts, read=decoder.prefill("w1 w2"))


def test_shared_contexts_are_read_once(decoder):
    requests = [decoder.encode_group(text, prompts) for text in (TEXT, "w1 w2", "") for prompts in (PROMPTS, OTHERS)]
    expected = decoder.generate_groups(requests, OPTIONS)
    for max_groups in (1, 2, 6):
        with counting_reads() as read:
            answers = decoder.generate_groups(requests, OPTIONS, max_groups=max_groups, share_contexts=True)
        assert answers == expected
        assert read.call_count == 3


def test_no_gradients_reach_it(decoder):
    with torch.enable_grad():
        assert not decoder.prefill(TEXT).keys.requires_grad
