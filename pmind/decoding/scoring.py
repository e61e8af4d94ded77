"""Log-likelihoods of given continuations, all candidates of all branches beside one context.

A candidate reads what its branch would read while decoding: the context, the prompts its
visibility shows, and itself; never another candidate. Each is fed at its branch's own columns.
Where candidates are many, those of a later pass take the places of the earlier ones'; a long one is
fed in several passes::

    first pass    1 1 1 2 2 | a a a b b .          the prompts of two branches, then candidates a and b
    second pass   1 1 1 2 2 | c c c c c c
    third pass    1 1 1 2 2 | c c c c c c c c c    the rest of c
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from pmind.decoding.branches import GroupRequest
from pmind.decoding.cache import GroupCache
from pmind.decoding.reader import Reader
from pmind.errors import DecodingError
from pmind.geometry import branch_starts
from pmind.models.settings import Settings
from pmind.visibility import VISIBILITIES, dense_mask

Continuations = Sequence[Sequence[Sequence[int]]]  # [branch][candidate][token]
CHUNK = 1024  # tokens of candidates fed in one pass, which bounds the memory of its mask and its logits


@dataclass(frozen=True)
class Scored:
    """What a model makes of one candidate.

    Attributes:
        log_probability: sum over its tokens, in nats.
        greedy: whether each of its tokens is the likeliest after those before it.
    """

    log_probability: float
    greedy: bool


@dataclass(frozen=True)
class _Candidate:
    """A candidate's place among all, its tokens, its branch's index and number, and its first column."""

    index: int
    tokens: tuple[int, ...]
    branch: int
    number: int
    column: int

    @property
    def fed(self) -> int:
        """How many of its tokens are fed: all but the last."""
        return len(self.tokens) - 1


@dataclass(frozen=True)
class _Piece:
    """What one pass feeds of a candidate: tokens ``start`` … ``stop`` - 1, those before it are stored."""

    candidate: _Candidate
    start: int
    stop: int


def score(
    model: PreTrainedModel, settings: Settings, request: GroupRequest, continuations: Continuations
) -> list[list[float]]:
    """Sum of the log-probabilities of each candidate's tokens, in nats; see :func:`score_candidates`."""
    scored = score_candidates(model, settings, request, continuations)
    return [[candidate.log_probability for candidate in candidates] for candidates in scored]


@torch.inference_mode()
def score_candidates(
    model: PreTrainedModel, settings: Settings, request: GroupRequest, continuations: Continuations
) -> list[list[Scored]]:
    """Log-probability of each candidate, and whether greedy decoding would say it.

    Args:
        model: wired with ``settings``.
        settings: alignment and visibility.
        request: context and prompts.
        continuations: ids of the candidates of each prompt, none empty.

    Returns:
        One list of candidates a prompt.

    Raises:
        DecodingError: not one list of candidates a prompt, an empty candidate, or one that goes beyond
            the model's positions.
    """
    candidates = _place(settings, request, continuations)
    reader = Reader(model, settings)
    _check_fits(reader, request, continuations)
    passes = list(_passes(candidates))
    extra = max((sum(piece.stop for piece in pieces) for pieces in passes), default=0)
    context = request.read or reader.read_context(request.context)
    cache = reader.open_cache(context, request, later=0, extra=extra)
    log_probability, greedy = _score_first(reader.read_prompts(cache, request), candidates)  # [K], [K]
    for pieces in passes:
        places = torch.tensor([piece.candidate.index for piece in pieces], device=greedy.device)
        more, likeliest = _score_rest(_logits(reader, request, cache, pieces), pieces)
        log_probability[places] += more
        greedy[places] &= likeliest
    scored = map(Scored, log_probability.tolist(), greedy.tolist())
    return [[next(scored) for _ in texts] for texts in continuations]


def _place(settings: Settings, request: GroupRequest, continuations: Continuations) -> list[_Candidate]:
    if len(continuations) != len(request.prompts):
        raise DecodingError(f"{len(request.prompts)} prompts but continuations for {len(continuations)}")
    if not all(tokens for texts in continuations for tokens in texts):
        raise DecodingError("cannot score an empty continuation; every candidate needs at least one token")
    starts = branch_starts(len(request.context), [len(prompt) for prompt in request.prompts], settings.alignment)
    candidates: list[_Candidate] = []
    for branch, texts in enumerate(continuations):
        for tokens in texts:
            column = starts[branch][1]
            candidates.append(_Candidate(len(candidates), tuple(tokens), branch, request.numbers[branch], column))
    return candidates


def _check_fits(reader: Reader, request: GroupRequest, continuations: Continuations) -> None:
    """Under ``own`` a branch's columns do not depend on its siblings' lengths, so each is looked at alone."""
    alone = [GroupRequest(request.context, (prompt,)) for prompt in request.prompts]
    requests = alone if reader.settings.alignment == "own" else [request] * len(alone)
    for checked, texts in zip(requests, continuations, strict=True):
        reader.check_fits(checked, max(map(len, texts), default=1))


def _passes(candidates: Sequence[_Candidate]) -> Iterator[list[_Piece]]:
    """As many whole candidates at a time as a chunk holds; a longer one goes alone, piece by piece."""
    pieces: list[_Piece] = []
    taken = 0
    for candidate in candidates:
        for start in range(0, candidate.fed, CHUNK):
            stop = min(start + CHUNK, candidate.fed)
            if pieces and taken + stop > CHUNK:
                yield pieces
                pieces, taken = [], 0
            pieces.append(_Piece(candidate, start, stop))
            taken += stop
    if pieces:
        yield pieces


def _logits(reader: Reader, request: GroupRequest, cache: GroupCache, pieces: Sequence[_Piece]) -> Tensor:
    """``[T, V]`` logits after each token that PIECES feed, read beside the prompts in CACHE."""
    rows = [
        (token, piece.candidate.number, piece.candidate.column + step, piece.candidate.index)
        for piece in pieces
        for step, token in enumerate(piece.candidate.tokens[: piece.stop])
    ]
    stored = torch.tensor(rows, device=reader.model.device)  # [S, 4] with those of earlier pieces
    fed = stored[pieces[0].start :]  # [T, 4]
    before = reader.prompt_tokens(request, by_branch=reader.isolated)[:, 1:]  # [P, 2] as they lie in the cache
    rule = VISIBILITIES[reader.settings.visibility]
    visible = dense_mask(rule, fed[None, :, 1:3], torch.cat((before, stored[:, 1:3]))[None])[0]  # [T, P + S]
    visible[:, len(before) :] &= fed[:, 3:] == stored[:, 3]
    end = len(before) + len(stored)
    return reader.read_masked(cache, fed[:, :3], range(end - len(fed), end), visible)


def _score_first(logits: Tensor, candidates: Sequence[_Candidate]) -> tuple[Tensor, Tensor]:
    """``[K]`` of each candidate's first token, from ``[N, V]`` logits of the prompts."""
    branches = torch.tensor([candidate.branch for candidate in candidates], device=logits.device, dtype=torch.int64)
    chances = _log_probabilities(logits)
    tokens = branches.new_tensor([candidate.tokens[0] for candidate in candidates])
    return chances[branches, tokens], chances.argmax(dim=-1)[branches] == tokens


def _score_rest(logits: Tensor, pieces: Sequence[_Piece]) -> tuple[Tensor, Tensor]:
    """``[K]`` of the tokens that follow those that each of PIECES feeds, from ``[T, V]`` logits."""
    chances = _log_probabilities(logits)
    followers = [piece.candidate.tokens[piece.start + 1 : piece.stop + 1] for piece in pieces]
    tokens = torch.tensor([token for part in followers for token in part], device=logits.device)
    lengths = [len(part) for part in followers]
    each = chances.gather(1, tokens[:, None])[:, 0].split(lengths)
    likeliest = (chances.argmax(dim=-1) == tokens).split(lengths)
    return torch.stack([part.sum() for part in each]), torch.stack([part.all() for part in likeliest])


def _log_probabilities(logits: Tensor) -> Tensor:
    """At least float32: bfloat16 would round a sum of 20 nats to the next eighth."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(dim=-1)
