"""Switching a head off, to see whether what it does matters to the answers.

A head's output is what it adds before the layer's output projection. It is set to zero, or, as a
control of the same size, the layer's output loses a vector of the same length in a random
direction: what an equal disturbance costs that has nothing to do with the head.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from pmind.errors import ModelError


@dataclass(frozen=True, order=True)
class Head:
    """A head by its places, both counted from 0."""

    layer: int
    head: int


@contextmanager
def heads_off(model: PreTrainedModel, heads: Sequence[Head]) -> Iterator[None]:
    """Zero the outputs of HEADS, before their layers' output projections, while the block runs.

    Args:
        model: any whose attention modules have ``layer_idx`` and ``o_proj``, not packed for the compiled column.
        heads: any number, in any layers.

    Raises:
        ModelError: there is no such head, or the model cannot be changed so.

    Example::

        with heads_off(model, [Head(layer=2, head=0)]):
            answers = decoder.generate(context, prompts)
    """
    by_layer: dict[int, list[int]] = {}
    for head in heads:
        by_layer.setdefault(head.layer, []).append(head.head)
    with ExitStack() as hooks:
        for layer, numbers in by_layer.items():
            projection = _projection(model, layer, numbers)
            hooks.enter_context(_hooked(projection.register_forward_pre_hook(_Zeroing(model, numbers))))
        yield


@contextmanager
def equal_disturbance(model: PreTrainedModel, head: Head, seed: int) -> Iterator[None]:
    """Take from a layer's output, token by token, a random vector as long as what HEAD adds, while the block runs.

    Args:
        model: as for :func:`heads_off`.
        head: whose contribution's length is taken.
        seed: of the directions; the same calls get the same ones.

    Raises:
        ModelError: as for :func:`heads_off`.
    """
    projection = _projection(model, head.layer, [head.head])
    with _hooked(projection.register_forward_hook(_Disturbing(model, head.head, seed))):
        yield


def all_heads(model: PreTrainedModel) -> list[Head]:
    """Every head of the model, layer by layer."""
    config = model.config
    return [
        Head(layer, head) for layer in range(config.num_hidden_layers) for head in range(config.num_attention_heads)
    ]


class _Zeroing:
    def __init__(self, model: PreTrainedModel, numbers: Sequence[int]) -> None:
        self._heads, self._numbers = model.config.num_attention_heads, list(numbers)

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        mixed = inputs[0].unflatten(-1, (self._heads, -1)).clone()  # [..., H, D]
        mixed[..., self._numbers, :] = 0
        return (mixed.flatten(-2), *inputs[1:])


class _Disturbing:
    def __init__(self, model: PreTrainedModel, number: int, seed: int) -> None:
        self._heads, self._number = model.config.num_attention_heads, number
        self._stream = torch.Generator().manual_seed(seed)

    def __call__(self, module: nn.Linear, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        own = inputs[0].unflatten(-1, (self._heads, -1))[..., self._number, :]  # [..., D]
        weight = module.weight.unflatten(-1, (self._heads, -1))[:, self._number]  # [hidden, D]
        length = (own @ weight.T).norm(dim=-1, keepdim=True)
        drawn = torch.randn(output.shape, generator=self._stream).to(output)
        return output - length * drawn / drawn.norm(dim=-1, keepdim=True)


@contextmanager
def _hooked(handle: torch.utils.hooks.RemovableHandle) -> Iterator[None]:
    try:
        yield
    finally:
        handle.remove()


def _projection(model: PreTrainedModel, layer: int, numbers: Sequence[int]) -> nn.Linear:
    found = [module.o_proj for module in model.modules() if hasattr(module, "o_proj") and module.layer_idx == layer]
    count = model.config.num_attention_heads
    if len(found) != 1 or not set(numbers) <= set(range(count)):
        raise ModelError(
            f"no heads {', '.join(str(number + 1) for number in numbers)} in layer {layer + 1}: {type(model).__name__} "
            f"has {model.config.num_hidden_layers} layers of {count} heads"
        )
    if not isinstance(found[0], nn.Linear):
        raise ModelError("heads of a packed model cannot be switched off; load it with compiled=False")
    return found[0]
