"""Muon for hidden matrices, AdamW for everything else, and the schedule both follow."""

from collections.abc import Iterable

from torch import nn
from torch.optim import AdamW, Muon, Optimizer
from transformers import PreTrainedModel

FINAL_SHARE = 0.1  # of the learning rate, at the last step
BETAS = (0.9, 0.95)
MUON_LR = "original"  # lr * sqrt(max(1, rows / columns)), Keller Jordan's; the rates in params.yaml are for it


def build_optimizers(
    model: PreTrainedModel, *, learning_rate: float, matrix_learning_rate: float, weight_decay: float
) -> list[Optimizer]:
    """Optimizers of all trainable parameters of a model.

    Args:
        model: any decoder-only model.
        learning_rate: of AdamW (embeddings, output head, norms, biases).
        matrix_learning_rate: of Muon (the 2D weights of linear layers inside the decoder).
        weight_decay: decoupled, on matrices and embeddings; vectors have none.
    """
    matrices, others = split_parameters(model)
    decayed = [parameter for parameter in others if parameter.ndim > 1]
    vectors = [parameter for parameter in others if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizers: list[Optimizer] = [
        AdamW([group for group in groups if group["params"]], lr=learning_rate, betas=BETAS),
    ]
    if matrices:
        optimizers.append(Muon(matrices, lr=matrix_learning_rate, weight_decay=weight_decay, adjust_lr_fn=MUON_LR))
    for group in _groups(optimizers):
        group["peak_lr"] = group["lr"]
    return optimizers


def split_parameters(model: PreTrainedModel) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Hidden matrices, which Muon takes, and all other trainable parameters, which AdamW takes.

    A hidden matrix is the weight of a linear layer other than the output head; embeddings are none.
    """
    head = model.get_output_embeddings()
    hidden = {
        id(module.weight) for module in model.modules() if isinstance(module, nn.Linear) and module is not head
    } - {id(model.get_input_embeddings().weight)}
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trainable if id(parameter) in hidden]
    return matrices, [parameter for parameter in trainable if id(parameter) not in hidden]


def learning_rate_share(step: int, steps: int, warmup_steps: int) -> float:
    """Share of the peak learning rate at a step: up in a line, then down in a line to a tenth.

    Example:
        >>> [round(learning_rate_share(step, 6, 2), 3) for step in range(6)]
        [0.5, 1.0, 0.775, 0.55, 0.325, 0.1]
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    left = (steps - 1 - step) / max(1, steps - max(1, warmup_steps))
    return FINAL_SHARE + (1 - FINAL_SHARE) * left


def set_learning_rates(optimizers: Iterable[Optimizer], share: float) -> None:
    """Set every group's learning rate to a share of its peak."""
    for group in _groups(optimizers):
        group["lr"] = group["peak_lr"] * share


def _groups(optimizers: Iterable[Optimizer]) -> list[dict]:
    return [group for optimizer in optimizers for group in optimizer.param_groups]
