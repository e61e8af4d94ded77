"""Validation loss on the same texts at several branch counts: what company costs a branch.

The texts come in rows of 64, or of the largest power of two there are texts for, and each row is
read whole, in halves, in quarters, down to one text at a time::

    row            a b c d
    4 branches     a b c d
    2 branches     a b | c d
    1 branch       a | b | c | d

What differs between two counts is the company alone.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

import torch
from torch import Tensor, nn

from pmind.geometry import TokenIds
from pmind.params import SharedContext
from pmind.training.batches import NO_LABEL, Collator, Sample, TrainingBatch, split_by_length
from pmind.training.loss import batch_logits
from pmind.training.passages import Encode, Passages, Text
from pmind.training.texts import continuations, replays, text_sample
from pmind.visibility import Visibility

BRANCH_COUNTS = (1, 2, 4, 8, 16, 32, 64)
MOST = max(BRANCH_COUNTS)
PART_TOKENS = 4096  # of a pass without gradients
FIRST_BAND, BAND_GROWTH = 8, 4  # places 0-7, 8-31, 32-127, …


@dataclass(frozen=True)
class Row:
    """Texts that are read together in groups of every branch count, beside a context that may be empty."""

    context: TokenIds
    texts: Sequence[Text]


def validation_rows(
    passages: Passages, encode: Encode, max_tokens: int, shared_context: SharedContext | None, seed: int
) -> list[Row]:
    """Rows of texts, at most as many as there are documents.

    Args:
        passages: held out from training.
        encode: texts to ids.
        max_tokens: longer texts are cut.
        shared_context: ``replays``: a row is 64 orders of one passage's sentences beside it.
            ``continuations``: it is the first passage of a document and the 64 after it, of the
            documents that have so many; where none has, rows are as for ``None``. ``None``: it is
            64 different passages in random order, without a context; the last row is filled up with
            the first passages, and with fewer than 64 passages rows are shorter.
        seed: of the orders.
    """
    rng = random.Random(f"validation/{seed}")
    order = rng.sample(range(len(passages)), len(passages))
    documents = len(passages.documents) - 1
    if shared_context == "replays":
        return [
            Row(passages.text(number).ids, replays(passages.sentences[number], MOST, encode, max_tokens, rng))
            for number in order[:documents]
        ]
    long = [first for first in passages.documents[:-1] if len(passages.document_of(first)) > MOST]
    if shared_context == "continuations" and long:
        return [Row(*continuations(passages, first, MOST)) for first in long]
    return list(islice(_loose_rows(passages, order), documents))


def loss_by_branches(
    model: nn.Module, rows: Sequence[Row], collate: Collator, rule: Visibility, attention: str = "auto"
) -> dict[str, float]:
    """Loss a label token at every branch count, over the same texts in groups of that many.

    Args:
        model: wired, in evaluation mode.
        rows: from :func:`validation_rows`.
        collate: as in training.
        rule: who sees whom.
        attention: what computes it, see :func:`pmind.training.attention.open_pass`.

    Returns:
        For each count N, where there are texts enough: ``loss.branches_N`` in nats,
        ``perplexity.branches_N``, and ``loss.positions_A_B.branches_N``, the mean over the labels
        that are tokens A … B of their branch, counted from 0 (which is never a label).
    """
    metrics = {}
    for count in takewhile(lambda count: count <= len(rows[0].texts), BRANCH_COUNTS):
        losses, places = _label_losses(model, list(_samples(rows, count)), collate, rule, attention)
        mean = losses.mean()
        metrics |= {f"loss.branches_{count}": mean.item(), f"perplexity.branches_{count}": mean.exp().item()}
        for first, last in bands(int(places.max())):
            inside = (places >= first) & (places <= last)
            metrics[f"loss.positions_{first}_{last}.branches_{count}"] = losses[inside].mean().item()
    return metrics


def bands(longest: int) -> Iterator[tuple[int, int]]:
    """First and last place of each band, up to the one that holds LONGEST.

    Example:
        >>> list(bands(100))
        [(0, 7), (8, 31), (32, 127)]
    """
    first, end = 0, FIRST_BAND
    while first <= longest:
        yield first, end - 1
        first, end = end, end * BAND_GROWTH


def _loose_rows(passages: Passages, order: Sequence[int]) -> Iterator[Row]:
    """Every passage once; passages at the order's start fill the last row up."""
    length = max(count for count in BRANCH_COUNTS if count <= len(order))
    for first in range(0, len(order), length):
        yield Row((), [passages.text(order[place % len(order)]) for place in range(first, first + length)])


def _samples(rows: Sequence[Row], count: int) -> Iterator[Sample]:
    for row in rows:
        for first in range(0, len(row.texts), count):
            yield text_sample(row.context, row.texts[first : first + count])


@torch.no_grad()
def _label_losses(
    model: nn.Module, samples: Sequence[Sample], collate: Collator, rule: Visibility, attention: str
) -> tuple[Tensor, Tensor]:
    """``[L]`` loss of every label, float64, and ``[L]`` its place in its branch."""
    device = next(model.parameters()).device
    losses, places = [], []
    for part in split_by_length(samples, PART_TOKENS, len(collate.opening)):
        batch = collate(part).to(device)
        labelled = batch.labels != NO_LABEL  # [B, T]
        logits = batch_logits(model, batch, rule, batch.labelled, attention)  # [B, K, V]
        of_labels = logits[labelled[:, batch.labelled]].float()  # [l, V]
        losses.append(nn.functional.cross_entropy(of_labels, batch.labels[labelled], reduction="none").double().cpu())
        places.append(_places(batch)[labelled].cpu())
    return torch.cat(losses), torch.cat(places)


def _places(batch: TrainingBatch) -> Tensor:
    """``[B, T]`` place in its branch of the token that each token has to predict; branches start beside the context."""
    branch, column = batch.coords.unbind(dim=-1)  # [B, T] each
    context = (branch == 0).sum(dim=1, keepdim=True)  # [B, 1]
    return column - context + 1
