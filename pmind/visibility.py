"""Who may attend to whom, as one rule on (branch, column) coordinates.

A rule compares a query's coordinates with a key's. Broadcast over a group it is the dense
reference mask, indexed by position it is FlexAttention's ``mask_mod``::

    columnar    C  a0 b0 a1 b1        isolated    C  a0 b0 a1 b1
    context     x  .  .  .  .         context     x  .  .  .  .
    a0          x  x  .  .  .         a0          x  x  .  .  .
    b0          x  .  x  .  .         b0          x  .  x  .  .
    a1          x  x  x  x  .         a1          x  x  .  x  .
    b1          x  x  x  .  x         b1          x  .  x  .  x
"""

from collections.abc import Callable
from typing import get_args

from torch import Tensor

from pmind.errors import LayoutError
from pmind.geometry import Alignment

Visibility = Callable[[Tensor, Tensor], Tensor]


def columnar(query: Tensor, key: Tensor) -> Tensor:
    """Let a token see itself and every token in earlier columns.

    Siblings in one column stay hidden from each other, so the order in which a column is
    sampled cannot change the result.

    Args:
        query: ``[..., 2]`` integer (branch, column).
        key: ``[..., 2]``, broadcastable against ``query``.

    Returns:
        Bool of the broadcast shape without the last axis; ``True`` means "query may read key".
    """
    return _real(key) & (_earlier(query, key) | _same_token(query, key)) | _padding_pair(query, key)


def isolated(query: Tensor, key: Tensor) -> Tensor:
    """Let a token see itself and the earlier columns of the context and of its own branch.

    Arguments and result as for :func:`columnar`.
    """
    family = (key[..., 0] == 0) | (key[..., 0] == query[..., 0])
    return _real(key) & (_earlier(query, key) & family | _same_token(query, key)) | _padding_pair(query, key)


VISIBILITIES: dict[str, Visibility] = {"columnar": columnar, "isolated": isolated}


def dense_mask(rule: Visibility, query: Tensor, key: Tensor) -> Tensor:
    """The reference mask of a batch.

    Args:
        rule: :func:`columnar` or :func:`isolated`.
        query: ``[B, T, 2]`` coords of the tokens that attend.
        key: ``[B, S, 2]`` coords of the tokens attended to.

    Returns:
        ``[B, T, S]`` bool, ``True`` means "row may read column". Padding is seen by padding
        alone, which keeps its rows finite and changes no real token.

    Example:
        >>> import torch
        >>> coords = torch.tensor([[[0, 0], [1, 1], [2, 1]]])  # context, two branches
        >>> dense_mask(columnar, coords, coords)[0].int().tolist()
        [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    """
    return rule(query[:, :, None], key[:, None, :])  # [B, T, 1, 2] x [B, 1, S, 2] -> [B, T, S]


def mask_mod(rule: Visibility, query: Tensor, key: Tensor) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    """The same rule as FlexAttention's ``mask_mod(batch, head, query_index, key_index)``."""

    def visible(batch: Tensor, head: Tensor, query_index: Tensor, key_index: Tensor) -> Tensor:
        return rule(query[batch, query_index], key[batch, key_index])

    return visible


def resolve_alignment(alignment: str, visibility: str) -> Alignment:
    """Turn ``auto`` into the visibility's default and refuse what it forbids.

    Raises:
        LayoutError: ``own`` with columnar visibility, or a name that is no alignment.
    """
    if alignment == "auto":
        return "right" if visibility == "columnar" else "own"
    if alignment not in get_args(Alignment):
        raise LayoutError(f"unknown alignment {alignment!r}; use auto, {', '.join(get_args(Alignment))}")
    if alignment == "own" and visibility == "columnar":
        raise LayoutError(
            "alignment 'own' needs visibility 'isolated': with 'columnar' a token could attend to a sibling's "
            "column that decoding has not produced yet. Use alignment 'right' or 'left'."
        )
    return alignment


def _earlier(query: Tensor, key: Tensor) -> Tensor:
    return key[..., 1] < query[..., 1]


def _same_token(query: Tensor, key: Tensor) -> Tensor:
    """(branch, column) names one token of a group, so equal coordinates mean the token itself."""
    return (key == query).all(dim=-1)


def _real(key: Tensor) -> Tensor:
    return key[..., 0] >= 0


def _padding_pair(query: Tensor, key: Tensor) -> Tensor:
    return (query[..., 0] < 0) & (key[..., 0] < 0)
