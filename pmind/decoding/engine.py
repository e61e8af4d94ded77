"""The decoding loop: read a group's context once, then feed one token per live branch and column.

Several groups share a pass, one cache row each. When a group finishes, its row goes to the next
one in the queue::

    row 0   | prefill A |  column  |  column  |  column  | prefill C | ...
    row 1   | prefill B |  column  |  column  |  column  |  column   | ...
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedModel

from pmind.decoding.branches import Branch, FinishReason, GroupRequest, StopTest, check_fits, start_branches
from pmind.decoding.cache import GroupCache
from pmind.decoding.options import GenerationOptions
from pmind.decoding.sampling import choose_token
from pmind.errors import DecodingError
from pmind.geometry import CONTEXT, PADDING, PROMPT, Layout, build_layout
from pmind.models.settings import Settings
from pmind.models.wiring import forward
from pmind.visibility import VISIBILITIES, dense_mask

PAD_ID = 0  # never seen by a real token, so any id will do


@dataclass(frozen=True)
class BranchToken:
    """One token of a column: whose it is, and whether it ends the answer."""

    branch: int
    token_id: int
    finish_reason: FinishReason | None


@dataclass(frozen=True)
class ColumnEvent:
    """What one step added to one group.

    Attributes:
        group: index of the group among the requests.
        step: 0 for the first answer token.
        tokens: one for each branch that was live, in the order of the prompts.
    """

    group: int
    step: int
    tokens: tuple[BranchToken, ...]


@dataclass
class DecodeStats:
    """What a run cost; seconds are wall-clock, measured with the device synchronised."""

    prefill_s: float = 0.0
    decode_s: float = 0.0
    first_token_s: float | None = None
    columns: int = 0
    tokens: int = 0
    kv_bytes: int = 0
    started: float = field(default_factory=time.perf_counter, repr=False)


@dataclass
class _LiveGroup:
    index: int
    branches: list[Branch]
    step: int = 0

    @property
    def live(self) -> list[Branch]:
        return [branch for branch in self.branches if branch.live]


def decode(
    model: PreTrainedModel,
    settings: Settings,
    requests: Sequence[GroupRequest],
    options: GenerationOptions,
    stops: StopTest,
    *,
    max_groups: int = 1,
    stats: DecodeStats | None = None,
) -> Iterator[ColumnEvent]:
    """Decode groups, yielding every column of every group as it is chosen.

    Args:
        model: wired with ``settings``.
        settings: alignment and visibility.
        requests: the groups, started in this order.
        options: when to stop and how to choose tokens.
        stops: whether an answer so far is finished by its last token.
        max_groups: most groups decoded at a time.
        stats: filled while the iterator is consumed.

    Raises:
        DecodingError: a group needs more positions than the model has, or ``max_groups`` is below 1.
    """
    if max_groups < 1:
        raise DecodingError(f"max_groups must be at least 1, not {max_groups}")
    positions = getattr(model.config, "max_position_embeddings", None)
    for request in requests:
        check_fits(request, options.max_new_tokens, settings, positions)
    run = _Run(model, settings, requests, options, stops, max_groups, stats or DecodeStats())
    return run.events()


def prefill(
    model: PreTrainedModel, settings: Settings, cache: GroupCache, rows: Sequence[int], requests: Sequence[GroupRequest]
) -> Tensor:
    """Read contexts, then prompts, into cache rows.

    Args:
        model: wired with ``settings``.
        settings: alignment and visibility.
        cache: with ROWS cleared.
        rows: the row of each request.
        requests: one a row.

    Returns:
        ``[R, N, V]`` logits of every branch's last prompt token; rows with fewer than N
        branches are padded.
    """
    layouts = [
        build_layout(request.context, request.prompts, alignment=settings.alignment, numbers=request.numbers)
        for request in requests
    ]
    heads = [_tokens(layout, (layout.roles == PROMPT) & (layout.following >= 0)) for layout in layouts]
    tails = [
        _tokens(layout, _last_of(layout, request.numbers)) for layout, request in zip(layouts, requests, strict=True)
    ]
    contexts = _stack([_tokens(layout, layout.roles == CONTEXT) for layout in layouts], model.device)
    if contexts.shape[1]:
        feed(model, settings, cache, rows, contexts, keep=1)
    tail = _stack(tails, model.device)
    prompts = torch.cat((_stack(heads, model.device), tail), dim=1)  # last tokens side by side at the end
    return feed(model, settings, cache, rows, prompts, keep=tail.shape[1])


def feed(
    model: PreTrainedModel, settings: Settings, cache: GroupCache, rows: Sequence[int], tokens: Tensor, keep: int
) -> Tensor:
    """Append tokens to cache rows and run the model on them.

    Args:
        tokens: ``[R, T, 3]`` (token id, branch, column), padding with branch ``PADDING``.
        keep: how many of the last tokens to return logits for.

    Returns:
        ``[R, keep, V]`` logits.
    """
    token_ids, coords = tokens[..., 0], tokens[..., 1:]
    write = cache.reserve(rows, coords)
    visible = dense_mask(VISIBILITIES[settings.visibility], coords, write.coords)
    return forward(model, token_ids, coords, visible, write, keep)


class _Run:
    """State of one call of :func:`decode`."""

    def __init__(
        self,
        model: PreTrainedModel,
        settings: Settings,
        requests: Sequence[GroupRequest],
        options: GenerationOptions,
        stops: StopTest,
        max_groups: int,
        stats: DecodeStats,
    ) -> None:
        self.model, self.settings, self.options, self.stops, self.stats = model, settings, options, stops, stats
        self.queue = deque(enumerate(requests))
        self.rows: list[_LiveGroup | None] = [None] * min(max_groups, len(requests))
        capacity = max(_cache_need(request, options) for request in requests) if requests else 0
        self.cache = GroupCache(model.config, len(self.rows), capacity, model.dtype, model.device)
        stats.kv_bytes = self.cache.bytes

    @torch.inference_mode()
    def events(self) -> Iterator[ColumnEvent]:
        while self.queue or any(self.rows):
            if self.queue and not all(self.rows):
                yield from self._refill()
            else:
                yield from self._column()

    def _refill(self) -> list[ColumnEvent]:
        """Give free rows to waiting groups and choose their first tokens."""
        began = time.perf_counter()
        free = [row for row, group in enumerate(self.rows) if group is None][: len(self.queue)]
        waiting = [self.queue.popleft() for _ in free]
        for row, (index, request) in zip(free, waiting, strict=True):
            self.cache.clear(row)
            self.rows[row] = _LiveGroup(index, start_branches(request, self.settings, self.options))
        logits = prefill(self.model, self.settings, self.cache, free, [request for _, request in waiting])
        events = self._choose(free, logits)
        self.stats.prefill_s += time.perf_counter() - began
        if self.stats.first_token_s is None:
            self.stats.first_token_s = time.perf_counter() - self.stats.started
        return events

    def _column(self) -> list[ColumnEvent]:
        """Feed every live branch's last token and choose the next."""
        began = time.perf_counter()
        parts = [self._last_tokens(group) for group in self.rows]
        tokens = _stack(parts, self.model.device)
        rows = range(len(self.rows))
        logits = feed(self.model, self.settings, self.cache, rows, tokens, keep=tokens.shape[1])
        events = self._choose(rows, logits)
        self.stats.decode_s += time.perf_counter() - began
        return events

    def _last_tokens(self, group: _LiveGroup | None) -> Tensor:
        live = group.live if group else []
        fed = [(branch.answer[-1], branch.number, branch.column) for branch in live]
        for branch in live:
            branch.column += 1
        return torch.tensor(fed, dtype=torch.int64).reshape(-1, 3)

    def _choose(self, rows: Iterable[int], logits: Tensor) -> list[ColumnEvent]:
        """Choose a token for every live branch of ROWS from ``[R, N, V]`` logits; free finished rows."""
        greedy = None if self._needs_scores else logits.argmax(dim=-1).tolist()  # [R][N]
        self.stats.columns += 1
        events = []
        for place, row in enumerate(rows):
            group = self.rows[row]
            if group is not None:
                choices = greedy[place] if greedy else logits[place]
                events.append(self._advance(group, choices))
                self.rows[row] = group if group.live else None
        return events

    def _advance(self, group: _LiveGroup, choices: Sequence[int] | Tensor) -> ColumnEvent:
        tokens = []
        for branch, choice in zip(group.live, choices, strict=False):  # a padded row has more choices
            chosen = choose_token(choice, branch.history, self.options, branch.stream) if self._needs_scores else choice
            branch.take(chosen, self.options, self.stops)
            tokens.append(BranchToken(branch.number, chosen, branch.finish_reason))
        group.step += 1
        self.stats.tokens += len(tokens)
        return ColumnEvent(group.index, group.step - 1, tuple(tokens))

    @property
    def _needs_scores(self) -> bool:
        return self.options.do_sample or self.options.repetition_penalty != 1


def _cache_need(request: GroupRequest, options: GenerationOptions) -> int:
    """Tokens a group stores at most; the last one of an answer is never fed."""
    return len(request.context) + request.prompt_tokens + len(request.prompts) * (options.max_new_tokens - 1)


def _last_of(layout: Layout, numbers: Sequence[int]) -> Tensor:
    """Flat index of each branch's last token, in the order of NUMBERS."""
    ends = torch.nonzero(layout.following < 0).flatten()
    end_of = dict(zip(layout.branch[ends].tolist(), ends.tolist(), strict=True))
    return torch.tensor([end_of[number] for number in numbers])


def _tokens(layout: Layout, chosen: Tensor) -> Tensor:
    """``[T, 3]`` (token id, branch, column) of some tokens of a layout, chosen by mask or index."""
    return torch.cat((layout.token_ids[chosen][:, None], layout.coords[chosen]), dim=1)


def _stack(parts: Sequence[Tensor], device: torch.device) -> Tensor:
    """Pad ``[T, 3]`` parts to ``[R, T, 3]``."""
    longest = max(len(part) for part in parts)
    tokens = torch.full((len(parts), longest, 3), PADDING)
    tokens[..., 0] = PAD_ID
    for row, part in enumerate(parts):
        tokens[row, : len(part)] = part
    return tokens.to(device)
