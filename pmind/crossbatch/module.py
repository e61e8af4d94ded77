"""The module: each token of a step reads the other branches' tokens of that step, and nothing else.

The last projection starts at zero, so an untrained module adds exactly nothing. What multiplies it
must not start at zero, too: of a product of two zeros neither gets a gradient. So does a branch
without siblings, trained or not: nobody tells it anything.
"""

from typing import Protocol

import torch
from torch import Tensor, nn

from pmind.crossbatch.config import CrossBatchConfig
from pmind.crossbatch.peers import ENDED
from pmind.errors import ModelError

GATE_BIAS = -3.0  # a gate starts nearly shut: sigmoid(-3) = 0.05
SHARPNESS = 10.0  # of the mixer at first: cosines lie between -1 and 1, too near each other for a softmax


class Informs(Protocol):
    """What a token is told by others."""

    def __call__(self, states: Tensor, others: Tensor) -> Tensor:
        """``[P, M, H]`` from states of that shape and ``[P, M, M]`` bool, ``True`` = may read."""


class CrossBatch(nn.Module):
    """Adds to the hidden states of a layer what each token's peers tell it.

    Args:
        hidden_size: of the model.
        config: its shape.

    Raises:
        ModelError: heads that do not divide the hidden size.
    """

    def __init__(self, hidden_size: int, config: CrossBatchConfig) -> None:
        super().__init__()
        self.config = config
        self.norm = nn.LayerNorm(hidden_size)
        self.inform = (
            CrossBatchAttention(hidden_size, config.heads)
            if config.kind == "attention"
            else CrossBatchMixer(hidden_size)
        )
        self.weight = Scale() if config.combine == "scale" else Gate(hidden_size)

    def forward(self, hidden_states: Tensor, peers: Tensor) -> Tensor:
        """Hidden states ``[B, T, H]`` after the exchange.

        Args:
            hidden_states: ``[B, T, H]``.
            peers: ``[P, M]`` places in the ``[B * T]`` tokens, see :mod:`pmind.crossbatch.peers`.
        """
        flat = hidden_states.flatten(0, 1)  # [B * T, H]
        present = peers != ENDED  # [P, M]
        states = flat[peers.clamp(min=0)].to(self.norm.weight.dtype)  # [P, M, H]
        itself = torch.eye(peers.shape[1], dtype=torch.bool, device=peers.device)
        info = self.inform(self.norm(states), present[:, None, :] & ~itself)
        mixed = states + self.weight(states, info) * info
        return flat.index_copy(0, peers[present], mixed[present].to(flat.dtype)).view_as(hidden_states)


class CrossBatchAttention(nn.Module):
    """Attention over the other branches, in heads."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        if size % heads:
            raise ModelError(f"crossbatch heads {heads} do not divide the model's hidden size {size}. Choose others")
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(size, size, bias=False) for _ in range(3))
        self.output = _zero_linear(size)

    def forward(self, states: Tensor, others: Tensor) -> Tensor:
        """See :class:`Informs`."""
        query, key, value = (self._split(project(states)) for project in (self.query, self.key, self.value))
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5  # [P, heads, M, M]
        read = _shares(scores, others[:, None]) @ value  # [P, heads, M, D]
        return self.output(read.transpose(1, 2).flatten(2))

    def _split(self, projected: Tensor) -> Tensor:
        return projected.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # [P, heads, M, D]


class CrossBatchMixer(nn.Module):
    """A mean of the other branches' states, weighted by the cosine of their projections."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.project = nn.Linear(size, size, bias=False)
        self.sharpness = nn.Parameter(torch.full((1,), SHARPNESS))
        self.output = _zero_linear(size)

    def forward(self, states: Tensor, others: Tensor) -> Tensor:
        """See :class:`Informs`."""
        projected = nn.functional.normalize(self.project(states), dim=-1)
        similarity = projected @ projected.transpose(-1, -2)  # [P, M, M]
        return self.output(_shares(self.sharpness * similarity, others) @ states)


class Scale(nn.Module):
    """One learned number for all tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, states: Tensor, info: Tensor) -> Tensor:
        """``[1]``, whatever the states are."""
        return self.scale


class Gate(nn.Module):
    """How much of what it is told a token takes, 0 … 1 for each dimension, by its own state and by what that is."""

    def __init__(self, size: int) -> None:
        super().__init__()
        inner = max(1, size // 4)
        self.norm_state, self.norm_info = nn.LayerNorm(size), nn.LayerNorm(size)
        self.judge = nn.Sequential(nn.Linear(3 * size, inner), nn.GELU(), nn.Linear(inner, size))
        nn.init.constant_(self.judge[-1].bias, GATE_BIAS)

    def forward(self, states: Tensor, info: Tensor) -> Tensor:
        """``[P, M, H]``."""
        state, told = self.norm_state(states), self.norm_info(info)
        return self.judge(torch.cat((state, told, state * told), dim=-1)).sigmoid()


def _shares(scores: Tensor, others: Tensor) -> Tensor:
    """Softmax over the others; all zero, not undefined, for a token that has none."""
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~others, lowest).softmax(dim=-1) * others


def _zero_linear(size: int) -> nn.Linear:
    linear = nn.Linear(size, size, bias=False)
    nn.init.zeros_(linear.weight)
    return linear
