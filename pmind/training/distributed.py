"""Processes that train one model together: started by torchrun or accelerate launch, or one alone.

With DDP every process holds the model; with FSDP (``accelerate launch --use_fsdp --fsdp_version 2``)
each holds a shard of every parameter, and whole tensors exist where they are asked for only.
"""

import copy
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import DistributedDataParallelKwargs, DistributedType
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor, distribute_tensor

from pmind.errors import TrainingError


def join_training() -> PartialState:
    """This process among those that a launcher started; call it before anything else that communicates."""
    return PartialState(cpu=not torch.cuda.is_available())  # gloo on CPUs: accelerate asks for it by name


def new_accelerator() -> Accelerator:
    """What prepares models and exchanges tensors; precision is the loop's own affair.

    Raises:
        TrainingError: FSDP of the first version.
    """
    join_training()
    alike = DistributedDataParallelKwargs(broadcast_buffers=False)  # every process computes the same ones
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision="no", kwargs_handlers=[alike])
    if accelerator.distributed_type == DistributedType.FSDP and not accelerator.is_fsdp2:
        raise TrainingError("FSDP 1 is not supported: its shards are no tensors of their own. Set fsdp_version: 2")
    return accelerator


def whole(value: Any) -> Any:
    """Tensors, alone or inside dicts and lists, put together from their shards; a call for all processes."""
    if isinstance(value, DTensor):
        return value.full_tensor()
    if isinstance(value, dict):
        return {key: whole(entry) for key, entry in value.items()}
    return [whole(entry) for entry in value] if isinstance(value, list) else value


def shard_like(value: Tensor, like: Tensor) -> Tensor:
    """This process's part of a whole tensor, cut as another tensor of its shape is."""
    if not isinstance(like, DTensor) or value.shape != like.shape:
        return value
    device = like.to_local().device
    return distribute_tensor(value.to(device), like.device_mesh, like.placements, src_data_rank=None)


class Unsharded:
    """A model's shape from before it was sharded, to make it whole again in place."""

    def __init__(self, model: nn.Module) -> None:
        """Args: model: whole; its parameters are not copied."""
        stand_ins = {
            id(parameter): nn.Parameter(torch.empty_like(parameter, device="meta"), parameter.requires_grad)
            for parameter in model.parameters()
        }
        self._shape = copy.deepcopy(model, stand_ins)

    def restore(self, model: nn.Module) -> None:
        """Undo the sharding of a trained model on every process; its weights are on the CPU then."""
        for name, module in model.named_modules():
            if name and not isinstance(module, FSDPModule) and next(module.parameters(), None) is None:
                self._shape.set_submodule(name, module.cpu())  # rotary angles, as training left them
        for stand_in, sharded in zip(self._shape.parameters(), model.parameters(), strict=True):
            trained = nn.Parameter(whole(sharded.detach()).cpu(), sharded.requires_grad)
            torch.utils.swap_tensors(stand_in, trained)
        model.__class__, model.__dict__ = self._shape.__class__, self._shape.__dict__
