"""What the tokens of one forward pass attend to, layer by layer, and where they are stored.

A pass runs the tokens of one or more groups as one flat sequence ``[1, T]``, without padding.
Attention hands each group's queries to the group's part of the pass. These are the passes of a
model's own code on any device; :class:`pmind.native.column.CompiledColumn` computes
the last kind in one call on a CPU.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from pmind.decoding.attention import Attended, attend, causal_attention, merge
from pmind.decoding.cache import Context, GroupCache
from pmind.native.column import Reading


class Part(Protocol):
    """One group's tokens in a pass."""

    tokens: int

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """Store ``[1, G, T, D]`` keys and values of LAYER and attend: ``[1, H, T, D]``."""


class Pass:
    """The parts of a forward pass, one behind the other."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """``[1, H, T, D]`` for all parts' tokens."""
        if len(self._parts) == 1:
            return self._parts[0].attend(layer, query, key, value, scale)
        sizes = [part.tokens for part in self._parts]
        split = zip(self._parts, *(tensor.split(sizes, dim=2) for tensor in (query, key, value)), strict=True)
        return torch.cat([part.attend(layer, *tensors, scale) for part, *tensors in split], dim=2)


class ContextPart:
    """A chunk of a context: reads what was stored of it before, and itself causally."""

    def __init__(self, context: Context, start: int, tokens: int) -> None:
        self.tokens = tokens
        self._context, self._start = context, start

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """See :class:`Part`."""
        keys, values = self._context.keys[layer][None], self._context.values[layer][None]  # [1, G, C, D]
        keys[:, :, self._start : self._start + self.tokens] = key
        values[:, :, self._start : self._start + self.tokens] = value
        if self._start == 0:
            return causal_attention(query, key, value, scale)
        past = attend(query, keys[:, :, : self._start], values[:, :, : self._start], scale)
        return merge([past, attend(query, key, value, scale, causal=True)])


class PromptPart:
    """All prompts of an isolated group, one behind the other: each reads the context and itself."""

    def __init__(self, cache: GroupCache, lengths: Sequence[int]) -> None:
        self.tokens = sum(lengths)
        self._cache, self._lengths = cache, lengths
        reading = cache.place([branch for branch, length in enumerate(lengths) for _ in range(length)])
        self._places = torch.tensor([place for _, place in reading.tokens], device=cache.keys.device)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """See :class:`Part`."""
        _store(self._cache, layer, self._places, key, value)
        own = self._own(query, key, value, scale)
        return merge([*_read_context(self._cache, layer, query, scale), own])

    def _own(self, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Attended:
        apart = [tensor[0][:, self._padded].transpose(0, 1) for tensor in (query, key, value)]  # [N, H or G, P, D]
        own = attend(*apart, scale, causal=True)  # what pads a prompt comes behind it, so nothing real reads it
        branch, step = self._back
        return Attended(own.output[branch, :, step].transpose(0, 1)[None], own.weight[branch, :, step].T[None])

    @cached_property
    def _padded(self) -> Tensor:
        """``[N, P]`` flat index of every prompt's tokens."""
        lengths = torch.tensor(self._lengths, device=self._places.device)
        steps = torch.arange(max(self._lengths), device=lengths.device)
        begins = lengths.cumsum(0) - lengths
        return (begins[:, None] + steps).clamp(max=self.tokens - 1)

    @cached_property
    def _back(self) -> tuple[Tensor, Tensor]:
        """Branch index and place in the prompt of every flat token."""
        lengths = torch.tensor(self._lengths, device=self._places.device)
        branch = torch.arange(len(lengths), device=lengths.device).repeat_interleave(lengths)
        begins = lengths.cumsum(0) - lengths
        return branch, torch.arange(self.tokens, device=lengths.device) - begins[branch]


class MaskedPart:
    """Tokens that read the context and, by a mask, the group's tokens up to themselves.

    Args:
        cache: of the group.
        places: where the tokens are stored; with what ``visible`` spans, everything stored so far.
        visible: ``[T, S]`` bool over the first S places.
    """

    def __init__(self, cache: GroupCache, places: Sequence[int], visible: Tensor) -> None:
        self.tokens = len(places)
        self._cache, self._visible = cache, visible
        self._places = torch.tensor(list(places), device=cache.keys.device)

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """See :class:`Part`."""
        _store(self._cache, layer, self._places, key, value)
        taken = self._visible.shape[1]
        keys, values = self._cache.keys[layer][None, :, :taken], self._cache.values[layer][None, :, :taken]
        own = attend(query, keys, values, scale, visible=self._visible)
        return merge([*_read_context(self._cache, layer, query, scale), own])


class ColumnPart:
    """One new token a branch: reads the context, what its group shares, and its own tokens."""

    def __init__(self, cache: GroupCache, reading: Reading) -> None:
        self.tokens = len(reading.tokens)
        self._cache, self._shared = cache, reading.shared
        spans = torch.tensor(reading.tokens, device=cache.keys.device)  # [T, 2]
        starts, self._places = spans.T
        longest = max(place - start + 1 for start, place in reading.tokens)
        index = starts[:, None] + torch.arange(longest, device=spans.device)  # [T, L]
        self._visible = index <= self._places[:, None]  # [T, L]
        self._index = torch.where(self._visible, index, self._places[:, None])

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """See :class:`Part`."""
        _store(self._cache, layer, self._places, key, value)
        parts = _read_context(self._cache, layer, query, scale)
        keys, values = self._cache.keys[layer], self._cache.values[layer]  # [G, S, D]
        if self._shared:
            parts.append(attend(query, keys[None, :, : self._shared], values[None, :, : self._shared], scale))
        return merge([*parts, self._own(query, keys, values, scale)])

    def _own(self, query: Tensor, keys: Tensor, values: Tensor, scale: float) -> Attended:
        alone = query[0].transpose(0, 1)[:, :, None]  # [T, H, 1, D]: every branch a batch row
        own_keys, own_values = (stored[:, self._index].transpose(0, 1) for stored in (keys, values))  # [T, G, L, D]
        own = attend(alone, own_keys, own_values, scale, visible=self._visible[:, None, None])
        return Attended(own.output[:, :, 0].transpose(0, 1)[None], own.weight[:, :, 0].T[None])


class NoAttention:
    """Tokens that read nothing: what a pass costs without attention."""

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """See :class:`Part`."""
        return query


def _read_context(cache: GroupCache, layer: int, query: Tensor, scale: float) -> list[Attended]:
    context = cache.context
    if not context.token_ids:
        return []
    return [attend(query, context.keys[layer][None], context.values[layer][None], scale)]


def _store(cache: GroupCache, layer: int, places: Tensor, key: Tensor, value: Tensor) -> None:
    cache.keys[layer].index_copy_(1, places, key[0])
    cache.values[layer].index_copy_(1, places, value[0])
