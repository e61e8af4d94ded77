"""DESIGN 5.5: padding, groups decoded side by side, and rows given to the next group change nothing."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pmind.geometry import pad_layouts
from pmind.models.settings import Settings
from pmind.models.wiring import forward
from pmind.visibility import VISIBILITIES, dense_mask
from tests.groups import SHAPES, any_group
from tests.reference import LEGAL, assert_close, decode_recorded, dense_logits
from tests.tiny import wired_model

REQUESTS = [group.request for group in SHAPES.values()]


@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_padded_layouts(visibility, alignment):
    settings = _settings(visibility, alignment)
    model = wired_model(settings=settings)
    layouts = [group.layout(alignment) for group in SHAPES.values()]
    token_ids, coords = pad_layouts(layouts, pad_id=3)
    with torch.no_grad():
        logits = forward(model, token_ids, coords, dense_mask(VISIBILITIES[visibility], coords, coords))
    assert logits.isfinite().all()  # rows of padding too, so that training gradients stay finite
    for layout, row in zip(layouts, logits, strict=True):
        assert_close(row[: len(layout.token_ids)], dense_logits(model, settings, layout))


@pytest.mark.parametrize("pad_id", [0, 60])
def test_the_pad_token_does_not_matter(pad_id):
    settings = _settings("columnar", "right")
    model = wired_model(settings=settings)
    layouts = [SHAPES[name].layout("right") for name in ("ordinary", "wildly_unequal")]
    token_ids, coords = pad_layouts(layouts, pad_id=pad_id)
    with torch.no_grad():
        logits = forward(model, token_ids, coords, dense_mask(VISIBILITIES["columnar"], coords, coords))
    assert_close(logits[0, : len(layouts[0].token_ids)], dense_logits(model, settings, layouts[0]))


@pytest.mark.parametrize("max_groups", [2, 3, 6, 99])
@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_groups_side_by_side(visibility, alignment, max_groups, compiled):
    """With fewer rows than groups, rows are refilled while their neighbours go on."""
    _check(_settings(visibility, alignment), REQUESTS, max_groups, compiled)


@given(groups=st.lists(any_group(), min_size=2, max_size=5), max_groups=st.integers(2, 3))
def test_any_groups_side_by_side(groups, max_groups, compiled):
    _check(_settings("columnar", "right"), [group.request for group in groups], max_groups, compiled)


def test_a_long_group_leaves_nothing_in_its_row(compiled):
    """The shorter group that takes over a row reads as if it had a fresh one."""
    order = ["64_branches", "one_token_prompts", "wildly_unequal", "empty_context"]
    settings = _settings("columnar", "right")
    _check(settings, [SHAPES[name].request for name in order], 1, compiled)


def _settings(visibility, alignment) -> Settings:
    return Settings(rope_2d_ratio=0.5, branch_stride=5, alignment=alignment, visibility=visibility)


def _check(settings: Settings, requests, max_groups: int, compiled: bool) -> None:
    model = wired_model(settings=settings, compiled=compiled)
    together = decode_recorded(model, settings, requests, max_groups=max_groups)
    for request, answers in zip(requests, together, strict=True):
        alone = decode_recorded(model, settings, [request])[0]
        for number, (tokens, logits) in alone.items():
            assert answers[number][0] == tokens
            assert_close(answers[number][1], logits)
