"""DESIGN 5.2: prefill and decode steps give the logits of one full forward over the finished layout."""

import pytest
import torch
from hypothesis import given

from pmind.decoding.branches import GroupRequest
from pmind.geometry import build_layout
from pmind.models.settings import Settings
from tests.groups import SHAPES, any_group
from tests.reference import LEGAL, assert_close, decode_recorded, dense_logits, places
from tests.tiny import KINDS, wired_model

REQUESTS = [
    *(SHAPES[name].request for name in ("ordinary", "empty_context", "one_branch", "wildly_unequal")),
    GroupRequest(*(getattr(SHAPES["ordinary"], part) for part in ("context", "prompts")), numbers=(5, 1, 9)),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoding", ["replace", "offset"])
@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_every_legal_setting(kind, encoding, visibility, alignment):
    _check(kind, _settings(visibility, alignment, encoding), REQUESTS)


@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_without_a_branch_axis(visibility, alignment):
    _check("llama_gqa", Settings(alignment=alignment, visibility=visibility), REQUESTS)


@pytest.mark.parametrize("placement", ["interleaved", "low", "high"])
def test_every_placement(placement):
    _check("llama_gqa", _settings("columnar", "right", "replace", pair_placement=placement), REQUESTS)


def test_in_float64():
    _check("qwen3", _settings("columnar", "left", "offset"), REQUESTS, torch.float64)


def test_sixty_four_branches():
    _check("llama_gqa", _settings("columnar", "right", "replace"), [SHAPES["64_branches"].request])


@given(group=any_group())
def test_any_group_columnar(group):
    _check("llama_gqa", _settings("columnar", "right", "replace"), [group.request])


@given(group=any_group())
def test_any_group_isolated(group):
    _check("llama_gqa", _settings("isolated", "own", "offset"), [group.request])


def _settings(visibility, alignment, encoding, **changes) -> Settings:
    return Settings(
        rope_2d_ratio=0.5,
        branch_stride=5,
        branch_encoding=encoding,
        alignment=alignment,
        visibility=visibility,
        **changes,
    )


def _check(kind, settings: Settings, requests: list[GroupRequest], dtype: torch.dtype = torch.float32) -> None:
    model = wired_model(kind, settings, dtype)
    decoded = decode_recorded(model, settings, requests, max_groups=2)
    for request, answers in zip(requests, decoded, strict=True):
        fed = [answers[number][0][:-1] for number in request.numbers]  # the last token is never fed
        layout = build_layout(
            request.context, request.prompts, fed, alignment=settings.alignment, numbers=request.numbers
        )
        expected = dense_logits(model, settings, layout)
        for number, (tokens, logits) in answers.items():
            assert_close(logits, expected[places(layout, number)[-len(tokens) :]])
