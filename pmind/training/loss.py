"""Token-weighted cross-entropy of a batch of layouts."""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from pmind.models.wiring import forward
from pmind.training.batches import NO_LABEL, TrainingBatch
from pmind.visibility import Visibility, dense_mask


def summed_loss(model: PreTrainedModel, batch: TrainingBatch, rule: Visibility) -> Tensor:
    """Cross-entropy summed over the labels of a batch; divide by its ``label_tokens`` for the mean.

    Args:
        model: wired.
        batch: on the model's device.
        rule: who sees whom.

    Returns:
        A scalar in nats, float32.
    """
    visible = dense_mask(rule, batch.coords, batch.coords)
    labelled = (batch.labels != NO_LABEL).any(dim=0).nonzero()[:, 0]  # [K] positions with a label in any row
    logits = forward(model, batch.token_ids, batch.coords, visible, keep=labelled)  # [B, K, V]
    return torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), batch.labels[:, labelled].flatten(), ignore_index=NO_LABEL, reduction="sum"
    )
