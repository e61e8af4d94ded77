"""DESIGN 5.4: where a token stands in the flat sequence means nothing; its coords do."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pmind.models.settings import Settings
from tests.groups import SHAPES, any_group
from tests.reference import LEGAL, assert_close, coords_logits, dense_logits
from tests.tiny import KINDS, wired_model


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoding", ["replace", "offset"])
@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_shuffled_tokens(kind, encoding, visibility, alignment):
    _check(kind, SHAPES["ordinary"], _settings(visibility, alignment, encoding), seed=0)


@given(group=any_group(), legal=st.sampled_from(LEGAL), seed=st.integers(0, 99))
def test_any_group_shuffled(group, legal, seed):
    _check("llama_gqa", group, _settings(*legal, "replace"), seed)


def _settings(visibility, alignment, encoding) -> Settings:
    return Settings(
        rope_2d_ratio=0.5, branch_stride=5, branch_encoding=encoding, alignment=alignment, visibility=visibility
    )


def _check(kind, group, settings: Settings, seed: int) -> None:
    layout = group.layout(settings.alignment)
    model = wired_model(kind, settings)
    order = torch.randperm(len(layout.token_ids), generator=torch.Generator().manual_seed(seed))
    shuffled = coords_logits(model, settings, layout.token_ids[order], layout.coords[order])
    assert_close(shuffled, dense_logits(model, settings, layout)[order])
