"""A local model as an engine: asks become passes of branches, options are scored beside the answers."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Protocol

from pmind.decoding.branches import GroupRequest
from pmind.decoding.cache import Context
from pmind.decoding.decoder import Answer, ParallelDecoder
from pmind.decoding.engine import BranchToken, ColumnEvent, DecodeStats
from pmind.decoding.options import GenerationOptions
from pmind.geometry import branch_starts
from pmind.methods.fitting import fit, option_tokens
from pmind.methods.passes import Passes
from pmind.methods.rounds import Ask, Prompt, Reply

Moment = tuple[float, float]  # seconds to the first and to the last token


class Listener(Protocol):
    """Who is told of every round and every token as they come."""

    def begin(self, asks: Sequence[Ask], fitted: Sequence[Ask]) -> None:
        """A round: what is asked, and the part of it that there is room for."""

    def write(self, prompt: Prompt, token: BranchToken) -> None:
        """One more token of the answer to a prompt of the fitted asks."""


class LocalEngine:
    """Answers asks by one model.

    Args:
        decoder: the model.
        passes: how the prompts of an ask run through it.
        branches: most prompts decoded together.
        max_groups: most asks decoded together, for passes that can.
        keep_contexts: read a context once for as long as asks come about it, one ask at a time.
        options: how tokens are chosen, greedily where left out; an ask has its own length and stop texts.
        listener: is told of rounds and tokens as they come.

    Attributes:
        stats: what decoding cost so far, the scoring of options not counted.
    """

    def __init__(
        self,
        decoder: ParallelDecoder,
        passes: Passes,
        *,
        branches: int = 8,
        max_groups: int = 1,
        keep_contexts: bool = False,
        options: GenerationOptions | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.stats = DecodeStats()
        self._decoder, self._passes = decoder, passes
        self._branches, self._max_groups = branches, max_groups
        self._keeps = keep_contexts
        self._options, self._listener = options or GenerationOptions(), listener
        self._kept: tuple[str, Context] | None = None
        self._known = False  # whether the last ask's context was read before

    def spent(self) -> tuple[float, float]:
        """Seconds in all, and before first tokens."""
        return self.stats.prefill_s + self.stats.decode_s, self.stats.prefill_s

    def answer(self, asks: Sequence[Ask]) -> list[list[Reply]]:
        """Replies to every prompt of every one of ASKS; those that end alike are decoded together.

        Where the model has too few positions, the oldest history is left out first, then answers are
        shorter; a prompt that does not fit at all has the finish reason ``no room``.

        Raises:
            DecodingError: an empty prompt.
            ModelError: there are options to score, but the tokenizer has no stop token.
        """
        fitted = [fit(ask, self._decoder.texts) for ask in asks]
        if self._listener:
            self._listener.begin(asks, fitted)
        alike: dict[tuple[int, tuple[str, ...]], list[int]] = {}
        replies: list[list[Reply]] = [[] for _ in asks]
        for place, ask in enumerate(fitted):
            if ask.max_new_tokens < 1:
                replies[place] = [Reply("", "no room", 0, 0) for _ in ask.prompts]
            else:
                alike.setdefault((ask.max_new_tokens, ask.stop), []).append(place)
        for (max_new_tokens, stop), places in alike.items():
            options = replace(self._options, max_new_tokens=max_new_tokens, stop_strings=stop)
            for place, found in zip(places, self._answer([fitted[place] for place in places], options), strict=True):
                replies[place] = found
        return replies

    def _answer(self, asks: Sequence[Ask], options: GenerationOptions) -> list[list[Reply]]:
        clock = _Clock()
        requests = [self._request(ask) for ask in asks]
        split = [self._passes.split(request, self._branches) for request in requests]
        singles = [single for passes in split for single in passes]
        answers = self._decoder.generate_groups(
            singles,
            options,
            max_groups=self._passes.rows(self._branches, self._max_groups),
            share_contexts=self._passes.SHARES_CONTEXT,
            stats=self.stats,
            on_event=self._told_to(clock, asks, singles),
        )
        moments = clock.moments(singles)
        read = [tokens for passes in split for tokens in self._contexts_read(passes)]
        replies = iter(
            [self._replies(*part) for part in zip(singles, answers, moments, read, strict=True)]
        )  # a list for every pass
        answered = [list(chain.from_iterable(next(replies) for _ in passes)) for passes in split]
        return [self._score(*part) for part in zip(asks, split, answered, strict=True)]

    def _told_to(
        self, clock: "_Clock", asks: Sequence[Ask], passes: Sequence[GroupRequest]
    ) -> Callable[[ColumnEvent], None]:
        """What takes the columns of PASSES: the clock, and the listener if there is one."""
        if self._listener is None:
            return clock.note
        prompts = (prompt for ask in asks for prompt in ask.prompts)
        owner = {(index, number): next(prompts) for index, single in enumerate(passes) for number in single.numbers}

        def take(event: ColumnEvent) -> None:
            clock.note(event)
            for token in event.tokens:
                self._listener.write(owner[event.group, token.branch], token)

        return take

    def _request(self, ask: Ask) -> GroupRequest:
        texts = [prompt.flat for prompt in ask.prompts]
        if not self._keeps:
            return self._decoder.encode_group(ask.context, texts)
        return self._decoder.encode_group(self._context(ask.context), texts)

    def _context(self, text: str) -> Context:
        """Keys and values of a context: those that are kept, or read anew."""
        self._known = self._kept is not None and self._kept[0] == text
        if not self._known:
            began = time.perf_counter()
            if self._kept:
                self._kept[1].free()
            self._kept = text, self._decoder.prefill(text)
            self.stats.prefill_s += time.perf_counter() - began
        return self._kept[1]

    def _contexts_read(self, passes: Sequence[GroupRequest]) -> list[int]:
        """Tokens of the context that each pass of an ask reads itself."""
        if self._known:
            return [0] * len(passes)
        again = 0 if self._passes.SHARES_CONTEXT else 1
        return [len(single.context) * (again if place else 1) for place, single in enumerate(passes)]

    def _replies(
        self, request: GroupRequest, answers: Sequence[Answer], moments: Sequence[Moment], context_tokens: int
    ) -> list[Reply]:
        """Replies of one pass; what it read of the context is on its first prompt's account."""
        lengths = [len(prompt) for prompt in request.prompts]
        starts = branch_starts(len(request.context), lengths, self._decoder.settings.alignment)
        extra = [context_tokens] + [0] * (len(lengths) - 1)
        stops = self._decoder.stop_ids()
        return [
            Reply(
                text=answer.text,
                finish_reason=answer.finish_reason,
                prompt_tokens=length + more,
                new_tokens=len(answer.token_ids),
                token_ids=answer.token_ids[:-1] if answer.token_ids[-1] in stops else answer.token_ids,
                branch=number,
                first_column=start,
                first_token_s=first,
                total_s=total,
            )
            for answer, length, more, number, (_, start), (first, total) in zip(
                answers, lengths, extra, request.numbers, starts, moments, strict=True
            )
        ]

    def _score(self, ask: Ask, passes: Sequence[GroupRequest], replies: list[Reply]) -> list[Reply]:
        """REPLIES with the likelihoods of their prompts' options, all options of a pass at once."""
        if not any(prompt.options for prompt in ask.prompts):
            return replies
        waiting = iter([option_tokens(self._decoder.texts, prompt) for prompt in ask.prompts])
        scored = [self._decoder.score_group(single, [next(waiting) for _ in single.prompts]) for single in passes]
        scores = chain.from_iterable(scored)
        return [replace(reply, option_scores=tuple(found)) for reply, found in zip(replies, scores, strict=True)]


class _Clock:
    """When each branch of each pass began and ended its answer.

    The loop reads a pass's prompts between two columns, so a pass starts when the column before it was done.
    """

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._starts: dict[int, float] = {}
        self._moments: dict[tuple[int, int], Moment] = {}

    def note(self, event: ColumnEvent) -> None:
        """Take down a column of a pass."""
        now = time.perf_counter()
        began = self._starts.setdefault(event.group, self._last)
        for token in event.tokens:
            first, _ = self._moments.get((event.group, token.branch), (now - began, 0.0))
            self._moments[event.group, token.branch] = (first, now - began)
        self._last = now

    def moments(self, passes: Sequence[GroupRequest]) -> list[list[Moment]]:
        """Of every prompt of every pass."""
        return [[self._moments[index, number] for number in single.numbers] for index, single in enumerate(passes)]
