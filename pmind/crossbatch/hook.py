"""Where the module works: behind one decoder layer of a stock model, by a hook that goes away again.

It stands behind the layer, the last one too, and so before the final norm: every layer is then
treated alike, and what the head reads is still of the size that the norm gives it. Which tokens
meet travels through the model's call as a keyword argument, as attention passes do. Nothing of it
is left on the model, and a layer that is computed again for its gradient meets the same peers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import PreTrainedModel

from pmind.crossbatch.module import CrossBatch
from pmind.errors import ModelError

NAME = "crossbatch"  # of the module among those of its model
PEERS = "crossbatch_peers"  # keyword of the model's call


def attach(model: nn.Module, module: CrossBatch) -> None:
    """Make a module part of a model, which alone changes nothing; see :func:`mixing`.

    It is on the model's device then, and float32 at least: in bfloat16 a scale near 1 could not
    take a small step.

    Args:
        model: a wired model, with an adapter or without.
        module: made for its hidden size.

    Raises:
        ModelError: the model has no such layer.
    """
    layers = len(_layers(model))
    if module.config.layer >= layers:
        raise ModelError(
            f"crossbatch layer {module.config.layer}: the model has {layers} layers. Use -1 (the last) to {layers - 1}"
        )
    setattr(model, NAME, module.to(model.device, torch.promote_types(model.dtype, torch.float32)))


def attached(model: nn.Module) -> CrossBatch | None:
    """A model's module, if it has one."""
    return getattr(model, NAME, None)


def detach(model: nn.Module) -> CrossBatch | None:
    """Take a model's module away, if it has one."""
    module = attached(model)
    if module is not None:
        delattr(model, NAME)
    return module


@contextmanager
def mixing(model: nn.Module) -> Iterator[None]:
    """While this is entered, a model with a module mixes in every call that names peers; see :func:`naming`.

    Training enters it for the whole run, since gradient checkpointing computes layers again on the
    way back.
    """
    module = attached(model)
    if module is None:
        yield
        return

    def mix(layer: nn.Module, args: tuple, kwargs: dict, hidden_states: Tensor) -> Tensor | None:
        peers = kwargs.get(PEERS)
        return None if peers is None else module(hidden_states, peers)

    hook = _layers(model)[module.config.layer].register_forward_hook(mix, with_kwargs=True)
    try:
        yield
    finally:
        hook.remove()
        _forget(hook, _layers(model)[module.config.layer])


def naming(model: Callable, peers: Tensor) -> Callable:
    """A model to call once, whose call names its tokens' peers."""
    return partial(model, **{PEERS: peers})


def _forget(hook: RemovableHandle, layer: nn.Module) -> None:
    """Remove a hook from the layer that stands there now: after FSDP that is a copy, hooks included."""
    for hooks in (layer._forward_hooks, layer._forward_hooks_with_kwargs):
        hooks.pop(hook.id, None)


def _layers(model: PreTrainedModel) -> nn.ModuleList:
    return model.get_decoder().layers
