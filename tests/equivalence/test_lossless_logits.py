"""DESIGN 5.1: isolated, r = 0, own — every branch's logits are those of a stock model on it alone."""

import pytest
import torch
from hypothesis import given

from pmind.models.loading import load_model
from pmind.models.settings import STOCK
from tests.groups import SHAPES, Group, any_group, random_group
from tests.reference import assert_close, decode_recorded, dense_logits, places, stock_logits
from tests.tiny import KINDS, stock_model, wired_model


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_layout_in_one_pass(kind, shape, dtype):
    _check_layout(stock_model(kind, dtype), wired_model(kind, STOCK, dtype), SHAPES[shape])


@given(group=any_group())
def test_any_group_in_one_pass(group):
    _check_layout(stock_model(), wired_model(), group)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_decoding(kind, shape, compiled):
    _check_decoding(stock_model(kind), wired_model(kind, compiled=compiled), [SHAPES[shape]])


@given(group=any_group())
def test_decoding_any_group(group, compiled):
    _check_decoding(stock_model(), wired_model(compiled=compiled), [group])


def test_decoding_many_groups_at_a_time(compiled):
    model = wired_model("qwen3", compiled=compiled)
    _check_decoding(stock_model("qwen3"), model, list(SHAPES.values()), max_groups=2)


def test_decoding_with_one_token_more_than_fits_is_the_only_error(stories_decoder, stories_stock):
    """A group that fills the model's last position still matches."""
    model, settings = stories_decoder.model, stories_decoder.settings
    positions = model.config.max_position_embeddings
    group = random_group(positions - 12, [4, 9])
    answers = decode_recorded(model, settings, [group.request], max_new_tokens=4, stops=lambda answer: False)[0]
    tokens, logits = answers[2]
    expected = stock_logits(stories_stock, [*group.context, *group.prompts[1], *tokens[:-1]])
    assert len(expected) == positions
    assert_close(logits, expected[-4:], scale=STORIES_SCALE)


# Logits of the pretrained model reach 20 and it has 5 layers; 1e-5 of a largest logit of 20 is 2e-4,
# of which rounding uses about a tenth.
STORIES_SCALE = 10


@pytest.mark.parametrize("shape", SHAPES)
def test_pretrained(stories_decoder, stories_stock, shape):
    model = stories_decoder.model
    _check_layout(stories_stock, model, SHAPES[shape], STORIES_SCALE)
    _check_decoding(stories_stock, model, [SHAPES[shape]], scale=STORIES_SCALE)


def test_pretrained_in_float64(stories_path, stories_stock):
    model, _ = load_model(stories_path, dtype="float64")
    stock = type(stories_stock).from_pretrained(stories_path, dtype=torch.float64).eval()
    _check_layout(stock, model, SHAPES["ordinary"], STORIES_SCALE)


def _check_layout(stock, wired, group: Group, scale: float = 1.0) -> None:
    layout = group.layout("own")
    logits = dense_logits(wired, STOCK, layout)
    for branch in range(len(group.prompts)):
        expected = stock_logits(stock, group.alone(branch))
        assert_close(logits[places(layout, branch + 1)], expected[len(group.context) :], scale)
        assert_close(logits[places(layout, 0)], expected[: len(group.context)], scale)


def _check_decoding(stock, wired, groups: list[Group], max_groups: int = 1, scale: float = 1.0) -> None:
    requests = [group.request for group in groups]
    decoded = decode_recorded(wired, STOCK, requests, max_groups=max_groups, max_new_tokens=5)
    for group, answers in zip(groups, decoded, strict=True):
        for number, (tokens, logits) in answers.items():
            expected = stock_logits(stock, [*group.context, *group.prompts[number - 1], *tokens[:-1]])
            assert_close(logits, expected[-len(tokens) :], scale)
