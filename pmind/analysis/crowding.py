"""How many places look like the one that a head seeks: a parallel tax told from the phases alone.

A head of one content wants the token D columns back in its own branch. Of the softmax over everything
it may read, N branches of C columns, a share e^-crowding falls on that token:

    crowding = mean over D of log Σ over the places Δ away from it of exp(sharpness · (kernel(Δ) - 1)).

e^crowding is the number of places that look like the right one. It has two parts, both in nats:

    columns    of the own branch alone, less that of plain RoPE with one branch: time resolution lost
    branches   what the siblings add: they are not told apart from the own branch

Nothing here is fitted to a measured loss. The sharpness is set by plain RoPE: with it a head of the same
frequencies and one branch puts half of its attention where it should (:func:`plain_sharpness`).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pmind.analysis.phases import Geometry, kernel

PLAIN_SHARE = 0.5  # of attention on the token that plain RoPE seeks
BISECTIONS = 50
MOST_SHARPNESS = 1e4
LEARNING_STEPS = 100  # the problem is convex; more change no digit that is shown


@dataclass(frozen=True)
class Crowding:
    """Nats by which a head finds its token less surely than plain RoPE with one branch.

    Attributes:
        columns: since columns of its own branch look alike.
        branches: since siblings look like its own branch.
    """

    columns: float
    branches: float

    @property
    def total(self) -> float:
        """Both."""
        return self.columns + self.branches


def crowding(found: Tensor, inv_freq: Tensor, sharpness: float) -> Crowding:
    """Crowding of a head.

    Args:
        found: ``[2N-1, 2C-1]`` its kernel, of :func:`pmind.analysis.phases.kernel`.
        inv_freq: ``[F]`` its frequencies.
        sharpness: score of a match, in nats.
    """
    branches, columns = (length // 2 + 1 for length in found.shape)
    own = _look_alikes(found[branches - 1 : branches], sharpness)
    plain = _look_alikes(kernel(Geometry(0.0), inv_freq, 1, columns), sharpness)
    return Crowding(own - plain, _look_alikes(found, sharpness) - own)


def plain_sharpness(inv_freq: Tensor, columns: int, share: float = PLAIN_SHARE) -> float:
    """Sharpness at which plain RoPE with one branch of COLUMNS puts SHARE of its attention on the right token."""
    plain = kernel(Geometry(0.0), inv_freq, 1, columns)
    low, high = 0.0, MOST_SHARPNESS
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if math.exp(-_look_alikes(plain, middle)) < share else (low, middle)
    return high


def sibling_crowding(found: Tensor, sharpness: float) -> float:
    """Nats that siblings add for a head that seeks its own branch and minds no column."""
    branches, columns = (length // 2 + 1 for length in found.shape)
    scores = sharpness * (found[:, : columns - 1] - 1)  # [2N-1, C-1] of the columns before the query's
    own = torch.logsumexp(scores[branches - 1], dim=0)
    return float(torch.logsumexp((scores + _weights(branches)).flatten(), dim=0) - own)


def learnt_crowding(turn: Tensor) -> float:
    """Log of the look-alikes of a head that has learnt how much of its score each pair makes.

    The weights are at least 0, sum to 1 and make the crowding least, for a token half the columns back; the
    sharpness is √D, the score of a match if queries and keys have entries of size 1 in D = 2F dimensions.

    Args:
        turn: ``[2N-1, 2C-1, F]`` of :func:`pmind.analysis.phases.turns`.
    """
    columns, frequencies = turn.shape[1] // 2 + 1, turn.shape[2]
    half = columns // 2
    near = turn[:, half : turn.shape[1] - half].cos() - 1  # [2N-1, C-1 or so, F]
    crowd = _weights(turn.shape[0] // 2 + 1).expand(near.shape[:2]).flatten()
    near, sharpness = near.flatten(0, 1), math.sqrt(2 * frequencies)
    weights = torch.full((frequencies,), 1 / frequencies)
    for _ in range(LEARNING_STEPS):  # exponentiated gradient, Kivinen and Warmuth 1997
        attention = torch.softmax(sharpness * near @ weights + crowd, dim=0)
        weights = torch.softmax(weights.log() - attention @ near, dim=0)
    return float(torch.logsumexp(sharpness * near @ weights + crowd, dim=0))


def _look_alikes(found: Tensor, sharpness: float) -> float:
    """Log of the number of places that look like the one sought, mean over 1 … C-1 columns back."""
    branches, columns = (length // 2 + 1 for length in found.shape)
    alike = torch.exp(sharpness * (found.double() - 1) + _weights(branches)).sum(dim=0)  # [2C-1]
    windows = alike.unfold(0, columns - 1, 1)[1:columns]  # [C-1, C-1]; no head reads the column it is in
    return float(windows.sum(dim=1).log().mean())


def _weights(branches: int) -> Tensor:
    """``[2N-1, 1]`` log of how many of a branch's siblings are so many branches away, mean over the branches."""
    apart = torch.arange(1 - branches, branches).abs()
    return ((branches - apart) / branches).log()[:, None]
