"""Keys and values: a context's, stored once and shared, and a group's beside them.

A group's buffer holds the tokens of its branches. When branches are isolated each has a region
of its own; when they read each other, the tokens lie in the order of their columns::

    context     c c c c c c          read by every branch of every group that shares it
    isolated    1 1 1 1 . .|2 2 2 . .      a branch reads its region
    columnar    1 2 1 2 1 2 1 2 . . .      a branch reads all of it, and its own new token

Nothing is padded: a buffer has exactly the places that its tokens can take.
"""

import copy
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PretrainedConfig

from pmind.decoding.branches import GroupRequest
from pmind.errors import DecodingError
from pmind.native.column import Reading


class Context:
    """A context that was read once, for any number of groups; see ``ParallelDecoder.prefill``.

    Attributes:
        token_ids: the context.
        keys: ``[layers, G, C, D]``.
        values: ``[layers, G, C, D]``.
    """

    def __init__(
        self, config: PretrainedConfig, token_ids: Sequence[int], dtype: torch.dtype, device: torch.device
    ) -> None:
        self.token_ids = tuple(token_ids)
        self.keys, self.values = _buffers(config, len(self.token_ids), dtype, device)

    @property
    def bytes(self) -> int:
        """Size of the buffers; 0 once freed."""
        return self.keys.nbytes + self.values.nbytes

    @property
    def freed(self) -> bool:
        """Whether :meth:`free` was called."""
        return self.keys.shape[2] != len(self.token_ids)

    def free(self) -> None:
        """Give the memory back; groups that are still being decoded keep it until they end."""
        self.keys, self.values = self.keys[:, :, :0].clone(), self.values[:, :, :0].clone()

    def place(self, start: int, tokens: int) -> Reading:
        """Places of a chunk of the context itself, from token START on."""
        nothing = self.keys[:, :, :0]
        spans = [(0, place) for place in range(start, start + tokens)]
        return Reading(nothing, nothing, self.keys, self.values, 0, spans)

    def check_usable(self) -> None:
        """Raise a DecodingError when the context was freed."""
        if self.freed:
            raise DecodingError("this context was freed; read it again with prefill()")


class GroupCache:
    """Keys and values of one group's branches, beside a context.

    Attributes:
        context: what all branches read first.
        keys: ``[layers, G, S, D]`` of prompts and answers.
        values: ``[layers, G, S, D]``.

    Args:
        context: read already, or about to be.
        request: whose prompts are stored.
        config: of the model.
        isolated: whether branches do not read each other.
        later: tokens that each branch can add to its prompt.
        extra: further places behind all others.
    """

    def __init__(
        self,
        context: Context,
        request: GroupRequest,
        config: PretrainedConfig,
        *,
        isolated: bool,
        later: int,
        extra: int = 0,
    ) -> None:
        self.context, self.isolated = copy.copy(context), isolated  # keeps the buffers when CONTEXT is freed
        lengths = [len(prompt) for prompt in request.prompts]
        capacity = sum(lengths) + later * len(lengths) + extra
        self.keys, self.values = _buffers(config, capacity, context.keys.dtype, context.keys.device)
        self._begins = [sum(lengths[:branch]) + branch * later for branch in range(len(lengths))]
        self._ends = list(self._begins)  # one past each branch's last token; isolated only
        self._used = 0  # columnar only

    @property
    def bytes(self) -> int:
        """Size of the group's own buffers, the context's not included."""
        return self.keys.nbytes + self.values.nbytes

    def place(self, branches: Sequence[int]) -> Reading:
        """Give one new token a place, for each entry of BRANCHES (indices, in the order of feeding).

        A branch may come several times in a row, as it does with its prompt, if branches are isolated.
        """
        tokens = [self._next(branch) for branch in branches]
        shared = 0 if self.isolated else self._used - len(branches)
        return Reading(self.context.keys, self.context.values, self.keys, self.values, shared, tokens)

    def _next(self, branch: int) -> tuple[int, int]:
        if not self.isolated:
            self._used += 1
            return self._used - 1, self._used - 1
        self._ends[branch] += 1
        return self._begins[branch], self._ends[branch] - 1


def kv_shape(config: PretrainedConfig) -> tuple[int, int, int]:
    """Layers, key-value heads and head size of a model: what one token's keys are made of."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return config.num_hidden_layers, heads, head_size


def kv_bytes_per_token(config: PretrainedConfig, dtype: torch.dtype) -> int:
    """k: bytes of one token's keys and values in all layers."""
    return 2 * math.prod(kv_shape(config)) * dtype.itemsize


def _buffers(config: PretrainedConfig, places: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    layers, heads, head_size = kv_shape(config)
    shape = (layers, heads, places, head_size)
    return torch.empty(shape, dtype=dtype, device=device), torch.empty(shape, dtype=dtype, device=device)
