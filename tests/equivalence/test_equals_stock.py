"""DESIGN 5.6 and 5.7: where two axes must fall together with the stock model's one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pmind.models.loading import load_model
from pmind.models.settings import Settings
from tests.groups import SHAPES, Group, any_group
from tests.reference import assert_close, coords_logits, decode_recorded, dense_logits, differ, places, stock_logits
from tests.tiny import KINDS, stock_model, wired_model

RATIOS = [0.0, 0.25, 0.5, 1.0]
STORIES_SCALE = 10  # its logits reach 20, see test_lossless_logits


@pytest.mark.parametrize("alignment", ["right", "left"])
@pytest.mark.parametrize("kind", KINDS)
def test_columnar_with_one_branch_is_stock_without_a_branch_axis(kind, alignment, compiled):
    settings = Settings(visibility="columnar", alignment=alignment)
    model, stock = wired_model(kind, settings, compiled=compiled), stock_model(kind)
    group = SHAPES["one_branch"]
    assert_close(dense_logits(model, settings, group.layout(alignment)), stock_logits(stock, group.alone(0)))
    tokens, logits = decode_recorded(model, settings, [group.request])[0][1]
    expected = stock_logits(stock, [*group.context, *group.prompts[0], *tokens[:-1]])
    assert_close(logits, expected[-len(tokens) :])


def test_columnar_with_one_branch_pretrained(stories_path, stories_stock):
    model, settings = load_model(stories_path, requested={"visibility": "columnar"}, override=True)
    group = SHAPES["one_branch"]
    expected = stock_logits(stories_stock, group.alone(0))
    assert_close(dense_logits(model, settings, group.layout("right")), expected, STORIES_SCALE)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("kind", KINDS)
def test_offset_leaves_the_context_alone(kind, ratio):
    settings = _offset(ratio)
    group = SHAPES["ordinary"]
    layout = group.layout("right")
    logits = dense_logits(wired_model(kind, settings), settings, layout)
    assert_close(logits[places(layout, 0)], stock_logits(stock_model(kind), group.context))


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("kind", KINDS)
def test_offset_with_branch_number_0_is_stock(kind, ratio):
    _check_number_0(stock_model(kind), wired_model(kind, _offset(ratio)), _offset(ratio), SHAPES["one_branch"])


@given(group=any_group().filter(lambda group: group.context), ratio=st.sampled_from(RATIOS[1:]))
def test_offset_with_branch_number_0_is_stock_for_any_lengths(group, ratio):
    single = Group(group.context, group.prompts[:1], group.answers[:1])
    _check_number_0(stock_model(), wired_model(settings=_offset(ratio)), _offset(ratio), single)


@pytest.mark.parametrize("ratio", RATIOS)
def test_offset_pretrained(stories_path, stories_stock, ratio):
    asked = {"rope_2d_ratio": ratio, "branch_encoding": "offset", "branch_stride": 16}
    model, settings = load_model(stories_path, requested=asked, override=True)
    _check_number_0(stories_stock, model, settings, SHAPES["one_branch"], STORIES_SCALE)


def test_a_branch_number_of_1_is_not_stock():
    """Otherwise forcing it to 0 above would show nothing."""
    group, settings = SHAPES["one_branch"], _offset(0.5)
    logits = dense_logits(wired_model(settings=settings), settings, group.layout("right"))
    assert differ(logits, stock_logits(stock_model(), group.alone(0)))


def test_replace_changes_the_context_too():
    """Its branch pairs no longer turn with the column, which is why only ``offset`` has this equivalence."""
    settings = Settings(rope_2d_ratio=0.5, branch_encoding="replace", visibility="columnar", alignment="right")
    layout = SHAPES["ordinary"].layout("right")
    logits = dense_logits(wired_model(settings=settings), settings, layout)[places(layout, 0)]
    assert differ(logits, stock_logits(stock_model(), SHAPES["ordinary"].context))


def _offset(ratio: float) -> Settings:
    return Settings(
        rope_2d_ratio=ratio, branch_encoding="offset", branch_stride=5, visibility="columnar", alignment="right"
    )


def _check_number_0(stock, wired, settings: Settings, group: Group, scale: float = 1.0) -> None:
    layout = group.layout("right")
    coords = torch.stack((torch.zeros_like(layout.branch), layout.column), dim=1)
    logits = coords_logits(wired, settings, layout.token_ids, coords)
    assert_close(logits, stock_logits(stock, group.alone(0)), scale)
