"""Muon for hidden matrices and AdamW for everything else, or AdamW for all."""

from collections.abc import Iterable

from torch import nn
from torch.optim import AdamW, Muon, Optimizer
from transformers import PreTrainedModel

from pmind.params import OptimizerName

BETAS = (0.9, 0.95)
MUON_LR = "original"  # lr * sqrt(max(1, rows / columns)), Keller Jordan's; the rates in params.yaml are for it


def build_optimizers(
    model: PreTrainedModel,
    *,
    learning_rate: float,
    matrix_learning_rate: float,
    weight_decay: float,
    optimizer: OptimizerName = "muon",
) -> list[Optimizer]:
    """Optimizers of all trainable parameters of a model.

    Args:
        model: any decoder-only model, with an adapter or without.
        learning_rate: of AdamW: all parameters, or those that Muon leaves (embeddings, output head, norms, biases).
        matrix_learning_rate: of Muon (the 2D weights of linear layers inside the decoder).
        weight_decay: decoupled, on matrices and embeddings; vectors have none.
        optimizer: ``muon`` or ``adamw``.
    """
    matrices, others = split_parameters(model)
    if optimizer == "adamw":
        matrices, others = [], [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in others if parameter.ndim > 1]
    vectors = [parameter for parameter in others if parameter.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    optimizers: list[Optimizer] = [AdamW(groups, lr=learning_rate, betas=BETAS)] if groups else []
    if matrices:
        optimizers.append(Muon(matrices, lr=matrix_learning_rate, weight_decay=weight_decay, adjust_lr_fn=MUON_LR))
    for group in _groups(optimizers):
        group["peak_lr"] = group["lr"]
    return optimizers


def split_parameters(model: PreTrainedModel) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Hidden matrices, which Muon takes, and all other trainable parameters, which AdamW takes.

    A hidden matrix is the weight of a linear layer other than the output head; embeddings are none,
    nor are the factors of a low-rank adapter: what Muon makes orthogonal is a whole matrix's change.
    """
    head = model.get_output_embeddings()
    hidden = {
        id(module.weight)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and module is not head and "lora_" not in name
    } - {id(model.get_input_embeddings().weight)}
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trainable if id(parameter) in hidden]
    return matrices, [parameter for parameter in trainable if id(parameter) not in hidden]


def set_learning_rates(optimizers: Iterable[Optimizer], share: float) -> None:
    """Set every group's learning rate to a share of its peak."""
    for group in _groups(optimizers):
        group["lr"] = group["peak_lr"] * share


def _groups(optimizers: Iterable[Optimizer]) -> list[dict]:
    return [group for optimizer in optimizers for group in optimizer.param_groups]
