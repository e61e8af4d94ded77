"""Validation loss on the same texts at several branch counts: what company costs a branch."""

import random
from collections.abc import Iterator, Sequence

import torch
from transformers import PreTrainedModel

from pmind.training.batches import Collator, Sample, split_by_length
from pmind.training.loss import summed_loss
from pmind.training.objective import PART_TOKENS
from pmind.training.passages import Encode, Passage
from pmind.training.samples import replays, text_sample
from pmind.visibility import Visibility

BRANCH_COUNTS = (1, 2, 4, 8, 16)
TEXTS = max(BRANCH_COUNTS)  # a validation document; every count divides it


def loss_by_branches(
    model: PreTrainedModel,
    documents: Sequence[tuple[str, Sequence[str]]],
    encode: Encode,
    collate: Collator,
    rule: Visibility,
    max_tokens: int,
) -> dict[str, float]:
    """Loss a token at every branch count, over the same texts in groups of that many.

    Args:
        model: wired, in evaluation mode.
        documents: contexts, each with 16 branch texts, from :func:`validation_documents`.
        encode: texts to ids.
        collate: as in training.
        rule: who sees whom.
        max_tokens: longer texts are cut.

    Returns:
        ``loss.branches_1`` … ``loss.branches_16`` in nats a label token, and ``loss.tax_16``, what
        16 branches cost over one.
    """
    losses = {}
    for count in BRANCH_COUNTS:
        samples = list(_samples(documents, count, encode, max_tokens))
        losses[f"loss.branches_{count}"] = _mean_loss(model, samples, collate, rule)
    return losses | {"loss.tax_16": losses["loss.branches_16"] - losses["loss.branches_1"]}


def validation_documents(passages: Sequence[Passage], shared_context: bool, seed: int) -> list[tuple[str, list[str]]]:
    """A context and 16 branch texts for each passage.

    Args:
        passages: held out from training.
        shared_context: branches replay the passage in other orders beside it; otherwise the
            context is empty and the branches are the passage and those that come after it.
        seed: of the orders.
    """
    rng = random.Random(f"validation/{seed}")
    if shared_context:
        return [("".join(passage), replays(passage, TEXTS, rng)) for passage in passages]
    texts = ["".join(passage) for passage in passages]
    return [("", [texts[(first + index) % len(texts)] for index in range(TEXTS)]) for first in range(len(texts))]


def _samples(
    documents: Sequence[tuple[str, Sequence[str]]], count: int, encode: Encode, max_tokens: int
) -> Iterator[Sample]:
    for context, texts in documents:
        for first in range(0, len(texts), count):
            yield text_sample(context, texts[first : first + count], encode, max_tokens)


@torch.no_grad()
def _mean_loss(model: PreTrainedModel, samples: Sequence[Sample], collate: Collator, rule: Visibility) -> float:
    total, labels = 0.0, 0
    for part in split_by_length(samples, PART_TOKENS):
        batch = collate(part).to(model.device)
        total += summed_loss(model, batch, rule).item()
        labels += batch.label_tokens
    return total / labels
