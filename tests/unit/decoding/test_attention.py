import pytest
import torch

from pmind.decoding.attention import attend, causal_attention, merge

TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12, torch.bfloat16: 0.02}
SCALE = 0.3
pytestmark = pytest.mark.parametrize("groups", [4, 2, 1])  # key-value heads, of 4 query heads
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


def tensors(groups, dtype, batch=2, tokens=5, keys=13, size=20):
    generator = torch.Generator().manual_seed(0)
    shapes = (batch, 4, tokens, size), (batch, groups, keys, size), (batch, groups, keys, size)
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


def reference(query, key, value, visible=None):
    """One softmax over all keys, in float64."""
    query, key, value = (
        query.double(),
        *(kept.double().repeat_interleave(4 // kept.shape[1], 1) for kept in (key, value)),
    )
    scores = query @ key.transpose(-1, -2) * SCALE
    if visible is not None:
        scores = scores.masked_fill(~visible, -torch.inf)
    return scores.softmax(dim=-1) @ value


def check(actual, expected, dtype):
    assert actual.dtype == dtype
    torch.testing.assert_close(actual.double(), expected, rtol=0, atol=TOLERANCE[dtype])


@dtypes
@pytest.mark.parametrize("cuts", [[13], [5, 8], [1, 12], [4, 4, 1, 4]])
def test_parts_equal_one_softmax_over_their_union(groups, dtype, cuts):
    query, key, value = tensors(groups, dtype)
    parts = [attend(query, *kept, SCALE) for kept in zip(key.split(cuts, 2), value.split(cuts, 2), strict=True)]
    assert all(part.weight.shape == query.shape[:-1] for part in parts)
    check(merge(parts), reference(query, key, value), dtype)


@dtypes
@pytest.mark.parametrize("axes", [2, 3, 4])
def test_masks(groups, dtype, axes):
    query, key, value = tensors(groups, dtype, batch=1)
    visible = torch.rand(5, 13, generator=torch.Generator().manual_seed(1)) < 0.5
    visible[:, [0, 12]] = True
    masks = [mask.reshape(*(1,) * (axes - 2), *mask.shape) for mask in visible.split([6, 7], dim=1)]
    parts = [
        attend(query, *kept, SCALE, visible=mask)
        for *kept, mask in zip(key.split([6, 7], 2), value.split([6, 7], 2), masks, strict=True)
    ]
    check(merge(parts), reference(query, key, value, visible), dtype)


@dtypes
def test_a_mask_for_each_batch_row(groups, dtype):
    query, key, value = tensors(groups, dtype, batch=3, tokens=1)
    visible = torch.arange(13) < torch.tensor([1, 7, 13])[:, None, None, None]  # [B, 1, 1, S]
    part = attend(query, key, value, SCALE, visible=visible)
    check(part.output, reference(query, key, value, visible), dtype)


@dtypes
def test_causal(groups, dtype):
    query, key, value = tensors(groups, dtype, tokens=13)
    expected = reference(query, key, value, torch.ones(13, 13, dtype=torch.bool).tril())
    check(attend(query, key, value, SCALE, causal=True).output, expected, dtype)
    check(causal_attention(query, key, value, SCALE), expected, dtype)


@dtypes
def test_a_past_and_a_causal_part_make_a_text(groups, dtype):
    query, key, value = tensors(groups, dtype, tokens=13)
    past = attend(query[:, :, 6:], key[:, :, :6], value[:, :, :6], SCALE)
    own = attend(query[:, :, 6:], key[:, :, 6:], value[:, :, 6:], SCALE, causal=True)
    check(merge([past, own]), causal_attention(query, key, value, SCALE)[:, :, 6:].double(), dtype)


@dtypes
@pytest.mark.parametrize("much", [100, -100])
def test_sums_of_exponentials_that_no_float32_holds(groups, dtype, much):
    """A part whose scores are far above the other's takes all."""
    query, key, value = (tensor.abs() for tensor in tensors(groups, dtype))
    key[:, :, 5:] += much
    parts = [attend(query, *kept, SCALE) for kept in zip(key.split([5, 8], 2), value.split([5, 8], 2), strict=True)]
    winner = parts[much > 0]
    assert (parts[1].weight - parts[0].weight).abs().min() > 100
    check(merge(parts), winner.output.double(), dtype)


def test_one_part_is_left_as_it_is(groups):
    part = attend(*tensors(groups, torch.float32), SCALE)
    assert merge([part]) is part.output
