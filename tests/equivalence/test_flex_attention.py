"""DESIGN 5.8: FlexAttention's mask_mod is the dense mask, and attention through it is the dense attention."""

import pytest
import torch
from torch.nn.attention.flex_attention import create_block_mask, create_mask, flex_attention
from torch.nn.functional import scaled_dot_product_attention

from pmind.geometry import pad_layouts
from pmind.visibility import VISIBILITIES, dense_mask, mask_mod
from tests.groups import SHAPES
from tests.reference import LEGAL


@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_every_pair_of_a_padded_batch(visibility, alignment):
    coords = _coords(alignment)
    rule = VISIBILITIES[visibility]
    batch, length = coords.shape[:2]
    sparse = create_mask(mask_mod(rule, coords, coords), batch, 1, length, length, device="cpu")  # [B, 1, T, S]
    assert sparse[:, 0].equal(dense_mask(rule, coords, coords))


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_queries_of_a_decode_step_on_a_cache(visibility):
    """Few queries, many keys: the two coords differ."""
    keys = _coords("right")
    queries = keys[:, -5:]
    rule = VISIBILITIES[visibility]
    sparse = create_mask(mask_mod(rule, queries, keys), len(keys), 1, 5, keys.shape[1], device="cpu")
    assert sparse[:, 0].equal(dense_mask(rule, queries, keys))


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_attention_through_it(visibility):
    coords = _coords("right", "ordinary", "empty_context")
    rule = VISIBILITIES[visibility]
    batch, length = coords.shape[:2]
    query, key, value = torch.randn(3, batch, 2, length, 16, generator=torch.Generator().manual_seed(0))
    blocks = create_block_mask(mask_mod(rule, coords, coords), batch, None, length, length, device="cpu")
    expected = scaled_dot_product_attention(query, key, value, attn_mask=dense_mask(rule, coords, coords)[:, None])
    actual = flex_attention(query, key, value, block_mask=blocks)
    real = (coords[..., 0] >= 0)[:, None, :, None]
    torch.testing.assert_close(actual * real, expected * real, rtol=0, atol=1e-5)


def _coords(alignment: str, *names: str) -> torch.Tensor:
    names = names or ("ordinary", "empty_context", "one_branch", "one_token_prompts")
    return pad_layouts([SHAPES[name].layout(alignment) for name in names], pad_id=0)[1]
