"""Attention over keys that lie in several places, merged by log-sum-exp.

A softmax over the union of two sets of keys is the mean of the softmaxes over each, weighted by
the sums of their exponentials (Dao et al., FlashAttention, 2022, section 3.1; Juravsky et al.,
Hydragen, 2024, section 3.1). So the context is read once for all branches, and each branch's own
tokens beside it; grouped-query heads share their keys unexpanded.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

FLASH = (torch.float32, torch.bfloat16, torch.float16)  # its log-sum-exp is float32


@dataclass(frozen=True)
class Attended:
    """What queries read from some of their keys.

    Attributes:
        output: ``[B, H, T, D]``.
        weight: ``[B, H, T]`` logarithm of the sum of the exponentiated scores.
    """

    output: Tensor
    weight: Tensor


def attend(
    query: Tensor, key: Tensor, value: Tensor, scale: float, *, visible: Tensor | None = None, causal: bool = False
) -> Attended:
    """Read one set of keys.

    Args:
        query: ``[B, H, T, D]``.
        key: ``[B, G, S, D]``, G a divisor of H.
        value: ``[B, G, S, D]``.
        scale: factor of the scores.
        visible: bool, broadcastable to ``[B, 1, T, S]``, ``True`` = may read; everything when omitted.
        causal: query t reads keys 0 … t only.
    """
    if query.device.type == "cpu" and query.dtype in FLASH:
        bias = None if visible is None else _bias(visible, query.dtype)
        output, weight = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            query, key, value, is_causal=causal, attn_mask=bias, scale=scale
        )
        return Attended(output, weight.view(query.shape[:-1]))
    if causal:
        visible = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device).tril()
    return _attend_plainly(query, key, value, scale, visible)


def causal_attention(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """``[B, H, T, D]``: attention of a text to itself alone, by torch's fastest kernel."""
    grouped = query.shape[1] != key.shape[1]
    return functional.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scale, enable_gqa=grouped)


def merge(parts: list[Attended]) -> Tensor:
    """``[B, H, T, D]``: attention over the union of the parts' keys."""
    if len(parts) == 1:
        return parts[0].output
    weights = torch.stack([part.weight for part in parts]).softmax(dim=0)  # [parts, B, H, T]
    merged = sum(part.output * weight[..., None] for part, weight in zip(parts, weights, strict=True))
    return merged.to(parts[0].output.dtype)


def _attend_plainly(query: Tensor, key: Tensor, value: Tensor, scale: float, visible: Tensor | None) -> Attended:
    batch, heads, tokens, size = query.shape
    groups = key.shape[1]
    rows = query.reshape(batch, groups, heads // groups * tokens, size)  # heads of one group share its keys
    scores = ((rows * scale) @ key.transpose(-1, -2)).view(batch, groups, heads // groups, tokens, -1)
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    if visible is not None:
        visible = visible.view(*(1,) * (4 - visible.dim()), *visible.shape)[:, :, None]  # [B, 1, 1, T, S]
        scores = scores.masked_fill(~visible, -torch.inf)
    weight = scores.logsumexp(dim=-1)  # [B, G, H/G, T]
    shares = (scores - weight[..., None]).exp().to(value.dtype).view(batch, groups, rows.shape[2], -1)
    return Attended((shares @ value).view(query.shape), weight.view(batch, heads, tokens))


def _bias(visible: Tensor, dtype: torch.dtype) -> Tensor:
    """0 where visible, minus infinity elsewhere, with four axes."""
    bias = torch.zeros(visible.shape, dtype=dtype, device=visible.device).masked_fill(~visible, -torch.inf)
    return bias.view(*(1,) * (4 - bias.dim()), *bias.shape)
