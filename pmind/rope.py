"""Rotary angles over two axes: the column turns most frequency pairs, the branch some.

With F frequency pairs, x = branch * stride and y = column, a pair that does not carry the
branch turns by ``inv_freq * y`` (RoFormer, Su et al. 2021, eq. 34); one that does turns by

- ``replace``: ``inv_freq * x``
- ``offset``:  ``inv_freq * (y + x)``, which keeps every distance within a branch and within
  the context as the pretrained model knows it.
"""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from pmind.errors import SettingsError

Encoding = Literal["replace", "offset"]
Placement = Literal["interleaved", "low", "high"]

LEAST_TURN = 1.0  # radians between neighbouring branches below which a model can hardly tell them apart


def branch_pairs(
    pairs: int, ratio: float, placement: Placement = "interleaved", indices: Sequence[int] = ()
) -> tuple[int, ...]:
    """Choose the frequency pairs that carry the branch.

    Args:
        pairs: F, the number of frequency pairs of a head.
        ratio: share of the pairs that carry the branch; floor(ratio * F + 1/2) of them.
        placement: ``interleaved`` over all frequencies, the ``low`` ones or the ``high`` ones.
        indices: explicit 1-based pair numbers; they override ratio and placement.

    Returns:
        1-based pair numbers in rising order; pair 1 is the fastest.

    Raises:
        SettingsError: a ratio above 0 that selects no pair, or indices outside 1 … F.

    Example:
        >>> branch_pairs(16, 0.25)
        (3, 7, 11, 15)
        >>> branch_pairs(16, 0.25, "low"), branch_pairs(16, 0.25, "high")
        ((13, 14, 15, 16), (1, 2, 3, 4))
    """
    if indices:
        return _checked_indices(pairs, indices)
    count = math.floor(ratio * pairs + 0.5)
    if ratio > 0 and count == 0:
        raise SettingsError(
            f"rope_2d_ratio {ratio} of {pairs} frequency pairs selects none; use 0 or at least {0.5 / pairs:g}"
        )
    if placement == "low":
        return tuple(range(pairs - count + 1, pairs + 1))
    if placement == "high":
        return tuple(range(1, count + 1))
    return tuple(math.floor((i + 0.5) * pairs / count) + 1 for i in range(count))


def angles(
    coords: Tensor, inv_freq: Tensor, carries_branch: Tensor, encoding: Encoding = "replace", stride: int = 1
) -> Tensor:
    """Angle by which every frequency pair of every token turns.

    Args:
        coords: ``[B, T, 2]`` integer (branch, column).
        inv_freq: ``[F]`` radians a position, from the base model's own rotary module.
        carries_branch: ``[F]`` bool, ``True`` for pairs that carry the branch.
        encoding: ``replace`` or ``offset``, see the module's docstring.
        stride: positions between neighbouring branches.

    Returns:
        ``[B, T, F]`` float32 radians.
    """
    shift = coords[..., 0] * stride  # [B, T]
    column = coords[..., 1]  # [B, T]
    branched = shift if encoding == "replace" else column + shift  # [B, T]
    position = torch.where(carries_branch, branched[..., None], column[..., None])  # [B, T, F]
    return position.float() * inv_freq.float()


def branch_turn(inv_freq: Tensor, pairs: Sequence[int], stride: int) -> float:
    """Radians by which the fastest branch pair turns from one branch to the next, whole turns left out.

    Returns:
        0 (no branch pair, or all back where they were) to pi.
    """
    turns = (float(inv_freq[pair - 1]) * stride for pair in pairs)
    return max((abs(math.remainder(turn, 2 * math.pi)) for turn in turns), default=0.0)


def _checked_indices(pairs: int, indices: Sequence[int]) -> tuple[int, ...]:
    if len(set(indices)) < len(indices) or not all(1 <= index <= pairs for index in indices):
        raise SettingsError(f"pair_indices must be different numbers from 1 to {pairs}, not {list(indices)}")
    return tuple(sorted(indices))
