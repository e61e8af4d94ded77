"""The model that fine-tuning begins with as a teacher: what it would say to each question alone.

Where a token stands in flat order means nothing, its coords and what it sees do. So the teacher
reads the student's own batch, every branch moved to where it would stand alone::

    column       0 1 2 3 4 5               0 1 2 3 4 5
    student 1    c c c . q a    teacher    c c c q a .
    student 2    c c c q q a               c c c q q a
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div
from transformers import PreTrainedModel

from pmind.models.wiring import forward, forward_batch
from pmind.training.attention import FlexPass
from pmind.training.batches import NO_LABEL, TrainingBatch
from pmind.training.loop import Loss
from pmind.training.loss import batch_logits, label_loss
from pmind.visibility import Visibility, dense_mask, isolated


def distilled_loss(teacher: PreTrainedModel, share: float, rule: Visibility, attention: str = "auto") -> Loss:
    """A loss that also keeps a model near its teacher.

    ``(1 - share) * cross-entropy + share * KL(teacher || student)``, both summed over the labels
    (Hinton et al. 2015, at temperature 1).

    Args:
        teacher: wired with its own settings; is put into evaluation mode, and learns nothing.
        share: 0 … 1, of the distance to the teacher.
        rule: who sees whom in the student.
        attention: of the student, see :func:`pmind.training.attention.open_pass`.
    """
    teacher.eval().requires_grad_(False)

    def loss(model: nn.Module, batch: TrainingBatch) -> Tensor:
        labelled = batch.labelled
        logits = batch_logits(model, batch, rule, labelled, attention)  # [B, K, V]
        labels = batch.labels[:, labelled]
        distance = _distance(teacher_logits(teacher, batch, labelled), logits, labels != NO_LABEL)
        return (1 - share) * label_loss(logits, labels) + share * distance

    return loss


@torch.no_grad()
def teacher_logits(teacher: PreTrainedModel, batch: TrainingBatch, keep: Tensor) -> Tensor:
    """``[B, K, V]`` logits of the ``[K]`` flat places KEEP, of a teacher that is asked one question at a time."""
    teacher.to(batch.token_ids.device)
    alone = coords_alone(batch.coords)
    as_first = torch.stack((alone[..., 0].clamp(max=1), alone[..., 1]), dim=-1)  # alone, any branch is branch 1
    if alone.is_cuda:
        return forward_batch(teacher, batch.token_ids, as_first, FlexPass(isolated, alone), keep)
    return forward(teacher, batch.token_ids, as_first, dense_mask(isolated, alone, alone), keep)


def coords_alone(coords: Tensor) -> Tensor:
    """Coords that each branch would have if it were the only one, its number kept.

    Args:
        coords: ``[B, T, 2]`` (branch, column) of any alignment; padding as in
            :func:`pmind.geometry.pad_layouts`.

    Returns:
        ``[B, T, 2]``; the context stays where it is, every branch follows it without a gap.

    Example:
        >>> coords = torch.tensor([[[0, 0], [2, 1], [1, 2], [2, 2], [1, 3], [2, 3]]])  # right
        >>> coords_alone(coords)[0].tolist()
        [[0, 0], [2, 1], [1, 1], [2, 2], [1, 2], [2, 3]]
    """
    branch, column = coords.unbind(dim=-1)  # [B, T]
    order = (branch * (column.max() + 1) + column).argsort(dim=1)  # by branch, then by column
    sorted_branch = branch.gather(1, order)
    rank = torch.arange(branch.shape[1], device=coords.device) - torch.searchsorted(sorted_branch, sorted_branch)
    rank = torch.empty_like(rank).scatter(1, order, rank)  # [B, T], place within its own branch
    context = (branch == 0).sum(dim=1, keepdim=True)  # [B, 1]
    own = torch.where(branch > 0, context + rank, column)
    return torch.stack((branch, own), dim=-1)


def _distance(teacher: Tensor, student: Tensor, known: Tensor) -> Tensor:
    """KL divergence in float32 of ``[B, K, V]`` logits, summed over the ``[B, K]`` places that are known."""
    wanted, given = (logits[known].float().log_softmax(dim=-1) for logits in (teacher, student))  # [labels, V]
    return kl_div(given, wanted, reduction="sum", log_target=True)
