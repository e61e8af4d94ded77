"""Token-weighted cross-entropy of a batch of layouts."""

import torch
from torch import Tensor, nn

from pmind.models.wiring import forward, forward_batch
from pmind.training.attention import open_pass
from pmind.training.batches import NO_LABEL, TrainingBatch
from pmind.visibility import Visibility, dense_mask


def summed_loss(model: nn.Module, batch: TrainingBatch, rule: Visibility, attention: str = "auto") -> Tensor:
    """Cross-entropy summed over the labels of a batch; divide by its ``label_tokens`` for the mean.

    Args:
        model: wired; may be wrapped, for it is only called.
        batch: on the model's device.
        rule: who sees whom.
        attention: what computes it, see :func:`pmind.training.attention.open_pass`.

    Returns:
        A scalar in nats, float32.
    """
    logits = batch_logits(model, batch, rule, batch.labelled, attention)  # [B, K, V]
    return label_loss(logits, batch.labels[:, batch.labelled])


def batch_logits(
    model: nn.Module, batch: TrainingBatch, rule: Visibility, keep: int | Tensor, attention: str = "auto"
) -> Tensor:
    """``[B, K, V]`` logits of the positions ``keep``; see :func:`pmind.models.wiring.forward`."""
    opened = open_pass(attention, rule, batch.coords)
    if opened is None:
        visible = dense_mask(rule, batch.coords, batch.coords)
        return forward(model, batch.token_ids, batch.coords, visible, keep)
    return forward_batch(model, batch.token_ids, batch.coords, opened, keep)


def label_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy in float32, summed over the ``[B, K]`` labels that ``[B, K, V]`` logits have."""
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), labels.flatten(), ignore_index=NO_LABEL, reduction="sum"
    )
