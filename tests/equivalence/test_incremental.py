"""DESIGN 5.2: prefill and decode steps give the logits of one full forward over the finished layout."""

import pytest
import torch
from hypothesis import given

from pmind.decoding.branches import GroupRequest
from pmind.models.settings import Settings
from tests.groups import SHAPES, any_group
from tests.reference import LEGAL, assert_equals_dense, decode_recorded
from tests.tiny import KINDS, wired_model

REQUESTS = [
    *(SHAPES[name].request for name in ("ordinary", "empty_context", "one_branch", "wildly_unequal")),
    GroupRequest(*(getattr(SHAPES["ordinary"], part) for part in ("context", "prompts")), numbers=(5, 1, 9)),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoding", ["replace", "offset"])
@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_every_legal_setting(kind, encoding, visibility, alignment, compiled):
    _check(kind, _settings(visibility, alignment, encoding), REQUESTS, compiled=compiled)


@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_without_a_branch_axis(visibility, alignment, compiled):
    _check("llama_gqa", Settings(alignment=alignment, visibility=visibility), REQUESTS, compiled=compiled)


@pytest.mark.parametrize("placement", ["interleaved", "low", "high"])
def test_every_placement(placement, compiled):
    settings = _settings("columnar", "right", "replace", pair_placement=placement)
    _check("llama_gqa", settings, REQUESTS, compiled=compiled)


def test_in_float64():
    _check("qwen3", _settings("columnar", "left", "offset"), REQUESTS, torch.float64)


def test_sixty_four_branches(compiled):
    _check("llama_gqa", _settings("columnar", "right", "replace"), [SHAPES["64_branches"].request], compiled=compiled)


@given(group=any_group())
def test_any_group_columnar(group, compiled):
    _check("llama_gqa", _settings("columnar", "right", "replace"), [group.request], compiled=compiled)


@given(group=any_group())
def test_any_group_isolated(group, compiled):
    _check("llama_gqa", _settings("isolated", "own", "offset"), [group.request], compiled=compiled)


def _settings(visibility, alignment, encoding, **changes) -> Settings:
    return Settings(
        rope_2d_ratio=0.5,
        branch_stride=5,
        branch_encoding=encoding,
        alignment=alignment,
        visibility=visibility,
        **changes,
    )


def _check(
    kind, settings: Settings, requests: list[GroupRequest], dtype: torch.dtype = torch.float32, *, compiled=False
) -> None:
    model = wired_model(kind, settings, dtype, compiled=compiled)
    decoded = decode_recorded(model, settings, requests, max_groups=2)
    assert_equals_dense(decoded, wired_model(kind, settings, dtype), settings, requests)
