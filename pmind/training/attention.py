"""Attention of a training pass, from coords, by what suits the device.

Flat order is by column, so no token reads one that stands behind it. Blocks of queries take the
keys up to their own end, with that part of the mask, and the other half is never computed::

    keys               0 … 127   128 … 255   256 … 383
    queries   0 … 127     x
    queries 128 … 255     x          x
    queries 256 … 383     x          x           x

On a GPU, FlexAttention asks the rule itself which blocks to compute, and no T x T mask is built.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Protocol, get_args

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.nn.functional import scaled_dot_product_attention

from pmind.errors import LayoutError, TrainingError
from pmind.params import AttentionName
from pmind.visibility import Visibility, dense_mask, mask_mod

FLEX_DEVICES = ("cuda",)  # where FlexAttention has a backward pass
BLOCK = 128  # queries; what a rule computes on the way to a block's mask stays in the cache


class TrainingPass(Protocol):
    """Attention of one forward and backward pass: a :class:`pmind.models.wiring.AttentionPass` with dropout."""

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float, dropout: float = 0.0
    ) -> Tensor:
        """``[B, H, T, D]`` from queries of that shape and ``[B, G, T, D]`` keys and values."""


def open_pass(name: str, rule: Visibility, coords: Tensor) -> TrainingPass | None:
    """What computes the attention of a batch.

    Args:
        name: ``blocks``, ``flex``, ``dense``, or ``auto``: ``flex`` on CUDA, ``blocks`` elsewhere.
        rule: who sees whom.
        coords: ``[B, T, 2]`` in flat order, padding behind or between.

    Returns:
        The pass, or ``None`` for the dense reference, which needs none.

    Raises:
        TrainingError: no such attention, or FlexAttention where it has no backward pass.
        LayoutError: tokens not in flat order.
    """
    if name not in get_args(AttentionName):
        raise TrainingError(f"unknown attention {name!r}; use {', '.join(get_args(AttentionName))}")
    if name == "dense":
        return None
    device = coords.device.type
    if name == "flex" and device not in FLEX_DEVICES and torch.is_grad_enabled():
        raise TrainingError(
            f"FlexAttention has no backward pass on the device {device!r}; set training.attention to auto or blocks"
        )
    if name == "flex" or (name == "auto" and device in FLEX_DEVICES):
        return FlexPass(rule, coords)
    return BlockPass(rule, coords)


class BlockPass:
    """Each block of queries over the keys up to its end.

    Args:
        rule: who sees whom.
        coords: ``[B, T, 2]`` in flat order.

    Raises:
        LayoutError: a token stands behind one of a later column.
    """

    def __init__(self, rule: Visibility, coords: Tensor) -> None:
        falls = (coords[:, 1:, 1] < coords[:, :-1, 1]) & (coords[:, 1:, 0] >= 0)
        if falls.any():
            row, place = falls.nonzero()[0].tolist()
            raise LayoutError(
                f"token {place + 1} of row {row} stands behind one of a later column; lay tokens out by column, "
                "as build_layout() does, or set training.attention to dense"
            )
        self._rule, self._coords = rule, coords
        self._bias: Tensor | None = None

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float, dropout: float = 0.0
    ) -> Tensor:
        """See :class:`TrainingPass`."""
        query, key, value = _autocast(query, key, value)
        if self._bias is None:
            self._bias = causal_bias(self._rule, self._coords, query.dtype)
        if query.device.type == "cpu" and not dropout:
            # goes in blocks by itself; torch's public function refuses a mask beside is_causal, its kernel takes both
            return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
                query, key, value, is_causal=True, attn_mask=self._bias, scale=scale
            )[0]
        return _attend_in_blocks(query, key, value, self._bias, scale, dropout)


class FlexPass:
    """FlexAttention with a block mask; compiled on CUDA.

    Args:
        rule: who sees whom.
        coords: ``[B, T, 2]``.
    """

    def __init__(self, rule: Visibility, coords: Tensor) -> None:
        batch, length = coords.shape[:2]
        create = _compiled(create_block_mask) if coords.is_cuda else create_block_mask
        self._blocks = create(mask_mod(rule, coords, coords), batch, None, length, length, device=coords.device)
        self._attention = _compiled(flex_attention) if coords.is_cuda else flex_attention

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float, dropout: float = 0.0
    ) -> Tensor:
        """See :class:`TrainingPass`.

        Raises:
            TrainingError: the model drops attention weights, which FlexAttention cannot.
        """
        if dropout:
            raise TrainingError(
                f"FlexAttention has no dropout, and the model's attention_dropout is {dropout:g}: "
                "set it to 0 in config.json, or training.attention to blocks"
            )
        query, key, value = _autocast(query, key, value)
        grouped = query.shape[1] != key.shape[1]
        return self._attention(query, key, value, block_mask=self._blocks, scale=scale, enable_gqa=grouped)


def causal_bias(rule: Visibility, coords: Tensor, dtype: torch.dtype) -> Tensor:
    """What is added to the scores of the keys up to the end of a query's block.

    Args:
        rule: who sees whom.
        coords: ``[B, T, 2]``.
        dtype: of the result.

    Returns:
        ``[B, 1, T, T]``: 0 where the rule lets the row read the column, minus infinity elsewhere;
        behind a row's block 0, for nobody looks there.

    Example:
        >>> from pmind.visibility import columnar
        >>> causal_bias(columnar, torch.tensor([[[0, 0], [1, 1], [2, 1]]]), torch.float32)[0, 0, 2].tolist()
        [0.0, -inf, 0.0]
    """
    batch, length = coords.shape[:2]
    bias = torch.zeros(batch, 1, length, length, dtype=dtype, device=coords.device)
    for start, end in _blocks(length):
        visible = dense_mask(rule, coords[:, start:end], coords[:, :end])  # [B, end - start, end]
        bias[:, 0, start:end, :end].masked_fill_(~visible, -torch.inf)
    return bias


def _attend_in_blocks(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, scale: float, dropout: float) -> Tensor:
    """Any device, with dropout; ``bias`` as :func:`causal_bias` makes it."""
    grouped = query.shape[1] != key.shape[1]
    outputs = []
    for start, end in _blocks(query.shape[2]):
        taken = query[:, :, start:end], key[:, :, :end], value[:, :, :end]
        mask = bias[:, :, start:end, :end]
        outputs.append(
            scaled_dot_product_attention(*taken, attn_mask=mask, dropout_p=dropout, scale=scale, enable_gqa=grouped)
        )
    return torch.cat(outputs, dim=2)


def _blocks(length: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + BLOCK, length)) for start in range(0, length, BLOCK))


def _autocast(*tensors: Tensor) -> tuple[Tensor, ...]:
    """In autocast's dtype where it is on: rotated queries and keys are wider there than values."""
    device = tensors[0].device.type
    if not torch.is_autocast_enabled(device):
        return tensors
    return tuple(tensor.to(torch.get_autocast_dtype(device)) for tensor in tensors)


@functools.cache
def _compiled(function: Callable) -> Callable:
    """Compiled once a process; lengths that change make it dynamic, not slow."""
    return torch.compile(function)
