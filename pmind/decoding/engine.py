"""The decoding loop: read a group's context once, then feed one token per live branch and column.

Several groups share a pass, one row each. When a group finishes, its row goes to the next one in
the queue::

    row 0   | prefill A |  column  |  column  |  column  | prefill C | ...
    row 1   | prefill B |  column  |  column  |  column  |  column   | ...
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedModel

from pmind.decoding.branches import Branch, FinishReason, GroupRequest, StopTest, start_branches
from pmind.decoding.cache import Context, GroupCache
from pmind.decoding.options import GenerationOptions
from pmind.decoding.reader import FedToken, Reader
from pmind.decoding.sampling import choose_token
from pmind.errors import DecodingError
from pmind.models.settings import Settings

IDLE_S = 0.0005  # between two looks at a queue that nobody waits in


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
    cache: GroupCache
    step: int = 0

    @property
    def live(self) -> list[Branch]:
        return [branch for branch in self.branches if branch.live]

    def places(self) -> list[int]:
        """Indices of the live branches."""
        return [place for place, branch in enumerate(self.branches) if branch.live]

    def newest(self) -> list[FedToken]:
        """Every live branch's last token, which goes to the branch's next column."""
        fed = [(branch.answer[-1], branch.number, branch.column) for branch in self.live]
        for branch in self.live:
            branch.column += 1
        return fed


def decode(
    model: PreTrainedModel,
    settings: Settings,
    requests: Iterable[GroupRequest | None],
    options: GenerationOptions,
    stops: StopTest,
    *,
    max_groups: int = 1,
    share_contexts: bool = False,
    skip_attention: bool = False,
    stats: DecodeStats | None = None,
) -> Iterator[ColumnEvent]:
    """Decode groups, yielding every column of every group as it is chosen.

    Args:
        model: wired with ``settings``.
        settings: alignment and visibility.
        requests: the groups, started in this order as places become free; an iterator may give
            ``None`` for "none is waiting yet" and is then asked again after the next column.
        options: when to stop and how to choose tokens.
        stops: whether an answer so far is finished by its last token.
        max_groups: most groups decoded at a time.
        share_contexts: do not read a context again when the group before had the same.
        skip_attention: leave attention out of the columns, for the benchmark's lower bound.
        stats: filled while the iterator is consumed.

    Raises:
        DecodingError: a group needs more positions than the model has, or ``max_groups`` is below 1.
    """
    if max_groups < 1:
        raise DecodingError(f"max_groups must be at least 1, not {max_groups}")
    reader = Reader(model, settings, skip_attention=skip_attention)
    if isinstance(requests, Sequence):  # refuse before anything is decoded
        for request in requests:
            reader.check_fits(request, options.max_new_tokens)
    run = _Run(reader, requests, options, stops, max_groups, share_contexts, stats or DecodeStats())
    return run.events()


class _Run:
    """State of one call of :func:`decode`."""

    def __init__(
        self,
        reader: Reader,
        requests: Iterable[GroupRequest | None],
        options: GenerationOptions,
        stops: StopTest,
        max_groups: int,
        share_contexts: bool,
        stats: DecodeStats,
    ) -> None:
        self.reader, self.options, self.stops, self.stats = reader, options, stops, stats
        self.share_contexts = share_contexts
        self.last_read: Context | None = None
        self.requests, self.ended, self.started = iter(requests), False, 0
        self.rows: list[_LiveGroup | None] = [None] * max_groups

    @torch.inference_mode()
    def events(self) -> Iterator[ColumnEvent]:
        while True:
            request = self._next_request()
            if request is not None:
                yield from self._refill(request)
            elif any(self.rows):
                yield from self._column()
            elif self.ended:
                return
            else:
                time.sleep(IDLE_S)

    def _next_request(self) -> GroupRequest | None:
        """The next group if one is waiting and a row is free."""
        if self.ended or None not in self.rows:
            return None
        try:
            return next(self.requests)
        except StopIteration:
            self.ended = True
            return None

    def _refill(self, request: GroupRequest) -> list[ColumnEvent]:
        """Give a free row to a group and choose its first tokens."""
        began = time.perf_counter()
        self.reader.check_fits(request, self.options.max_new_tokens)
        index, row = self.started, self.rows.index(None)
        self.started += 1
        context = self._context(request)
        cache = self.reader.open_cache(context, request, later=self.options.max_new_tokens - 1)
        branches = start_branches(request, self.reader.settings, self.options)
        self.rows[row] = _LiveGroup(index, branches, cache)
        self._note_memory()
        events = self._choose([row], self.reader.read_prompts(cache, request))
        self.stats.prefill_s += time.perf_counter() - began
        if self.stats.first_token_s is None:
            self.stats.first_token_s = time.perf_counter() - self.stats.started
        return events

    def _context(self, request: GroupRequest) -> Context:
        known = request.read or self.last_read
        if known is not None and known.token_ids == request.context:
            return known
        context = self.reader.read_context(request.context)
        self.last_read = context if self.share_contexts else None
        return context

    def _column(self) -> list[ColumnEvent]:
        """Feed every live branch's last token and choose the next."""
        began = time.perf_counter()
        rows = [row for row, group in enumerate(self.rows) if group]
        fed = [token for row in rows for token in self.rows[row].newest()]
        logits = self.reader.read_column(fed, [(self.rows[row].cache, self.rows[row].places()) for row in rows])
        events = self._choose(rows, logits)
        self.stats.decode_s += time.perf_counter() - began
        return events

    def _choose(self, rows: Sequence[int], logits: Tensor) -> list[ColumnEvent]:
        """Choose a token for every live branch of ROWS from ``[T, V]`` logits; free finished rows."""
        choices = iter(logits if self._needs_scores else logits.argmax(dim=-1).tolist())
        self.stats.columns += 1
        events = []
        for row in rows:
            group = self.rows[row]
            events.append(self._advance(group, choices))
            self.rows[row] = group if group.live else None
        return events

    def _advance(self, group: _LiveGroup, choices: Iterator[int] | Iterator[Tensor]) -> ColumnEvent:
        tokens = []
        for branch in group.live:
            choice = next(choices)
            chosen = choose_token(choice, branch.history, self.options, branch.stream) if self._needs_scores else choice
            branch.take(chosen, self.options, self.stops)
            tokens.append(BranchToken(branch.number, chosen, branch.finish_reason))
        group.step += 1
        self.stats.tokens += len(tokens)
        return ColumnEvent(group.index, group.step - 1, tuple(tokens))

    def _note_memory(self) -> None:
        caches = [group.cache for group in self.rows if group]
        contexts = {id(cache.context.keys): cache.context for cache in caches}.values()
        self.stats.kv_bytes = max(self.stats.kv_bytes, sum(held.bytes for held in (*caches, *contexts)))

    @property
    def _needs_scores(self) -> bool:
        return self.options.do_sample or self.options.repetition_penalty != 1
