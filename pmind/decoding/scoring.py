"""Log-likelihoods of given continuations, all candidates of all branches in one pass.

A candidate reads what its branch would read while decoding: the context, the prompts its
visibility shows, and itself; never another candidate. Each is fed at its branch's own columns.
"""

from collections.abc import Sequence

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


@torch.inference_mode()
def score(
    model: PreTrainedModel, settings: Settings, request: GroupRequest, continuations: Continuations
) -> list[list[float]]:
    """Sum of the log-probabilities of each candidate's tokens, in nats.

    Args:
        model: wired with ``settings``.
        settings: alignment and visibility.
        request: context and prompts.
        continuations: ids of the candidates of each prompt, none empty.

    Returns:
        One list of scores a prompt.

    Raises:
        DecodingError: not one list of candidates a prompt, an empty candidate, or one that goes beyond
            the model's positions.
    """
    if len(continuations) != len(request.prompts):
        raise DecodingError(f"{len(request.prompts)} prompts but continuations for {len(continuations)}")
    longest = _longest(continuations)
    reader = Reader(model, settings)
    reader.check_fits(request, longest)
    fed = _fed_tokens(settings, request, continuations)
    context = request.read or reader.read_context(request.context)
    cache = reader.open_cache(context, request, later=0, extra=len(fed))
    first = reader.read_prompts(cache, request)  # [N, V]
    later = _candidate_logits(reader, request, cache, fed.to(model.device))
    return _collect(_log_probabilities(first), _log_probabilities(later), continuations)


def _longest(continuations: Continuations) -> int:
    lengths = [len(candidate) for candidates in continuations for candidate in candidates]
    if min(lengths, default=1) == 0:
        raise DecodingError("cannot score an empty continuation; every candidate needs at least one token")
    return max(lengths, default=1)


def _fed_tokens(settings: Settings, request: GroupRequest, continuations: Continuations) -> Tensor:
    """``[T, 4]`` (token, branch, column, candidate) of all tokens but each candidate's last."""
    starts = branch_starts(len(request.context), [len(prompt) for prompt in request.prompts], settings.alignment)
    rows = []
    candidate = 0
    for number, (_, start), candidates in zip(request.numbers, starts, continuations, strict=True):
        for tokens in candidates:
            rows += [(token, number, start + step, candidate) for step, token in enumerate(tokens[:-1])]
            candidate += 1
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 4)


def _candidate_logits(reader: Reader, request: GroupRequest, cache: GroupCache, fed: Tensor) -> Tensor:
    """``[T, V]`` logits after each fed token, read beside the prompts in CACHE."""
    if len(fed) == 0:
        return torch.empty(0, reader.model.config.vocab_size, device=fed.device)
    candidate = fed[:, 3]
    before = reader.prompt_tokens(request, by_branch=reader.isolated)[:, 1:]  # [S, 2] as they lie in the cache
    rule = VISIBILITIES[reader.settings.visibility]
    visible = dense_mask(rule, fed[None, :, 1:3], torch.cat((before, fed[:, 1:3]))[None])[0]  # [T, S + T]
    visible[:, len(before) :] &= candidate[:, None] == candidate[None, :]
    places = range(len(before), len(before) + len(fed))
    return reader.read_masked(cache, fed[:, :3], places, visible)


def _log_probabilities(logits: Tensor) -> Tensor:
    """At least float32: bfloat16 would round a sum of 20 nats to the next eighth."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).log_softmax(dim=-1)


def _collect(first: Tensor, later: Tensor, continuations: Continuations) -> list[list[float]]:
    scores, used = [], 0
    for branch, candidates in enumerate(continuations):
        scores.append([])
        for tokens in candidates:
            steps = later[used : used + len(tokens) - 1]  # [L - 1, V]
            targets = torch.tensor(tokens[1:], device=steps.device, dtype=torch.int64)
            rest = steps.gather(1, targets[:, None])  # [L - 1, 1]
            scores[-1].append(float(first[branch, tokens[0]] + rest.sum()))
            used += len(tokens) - 1
    return scores
