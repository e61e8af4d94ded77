"""One decoding column of a Llama-like model as a single call of the compiled kernel.

The model stays a stock ``transformers`` model: its packed layers are where the kernel finds the
weights, its rotary module gives the angles, its embedding the tokens. What the kernel computes is
the decoder layer of Llama, Mistral, Qwen2 and Qwen3; other models decode through their own code.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from pmind.native.library import Layer, Shape, load
from pmind.native.linear import PackedLinear, room_for

MODELS = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
MOST_HEAD = 512  # as in kernel.cpp
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True)
class Reading:
    """What some tokens of a group read and where they are written.

    Attributes:
        context_keys: ``[layers, kv_heads, C, D]``.
        context_values: the same shape.
        keys: ``[layers, kv_heads, S, D]`` of the tokens beside the context.
        values: the same shape.
        shared: how many of those, from the first on, every branch reads.
        tokens: ``[T, 2]`` first and last of those that a token reads as its own; it is written
            to the last.
    """

    context_keys: Tensor
    context_values: Tensor
    keys: Tensor
    values: Tensor
    shared: int
    tokens: Sequence[tuple[int, int]]


class CompiledColumn:
    """Runs tokens of several groups through a packed model.

    Args:
        model: wired and packed, see :func:`supports`.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        config, layers = model.config, model.model.layers
        first = layers[0].self_attn
        self._model = model
        self._shape = Shape(
            layers=len(layers),
            hidden=config.hidden_size,
            heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads,
            head_size=first.head_dim,
            inner=config.intermediate_size,
            epsilon=config.rms_norm_eps,
            head_epsilon=config.rms_norm_eps,
            scale=first.scaling,
        )
        self._kept: list[Tensor] = []  # norms in float32, for as long as their addresses are used
        self._layers = (Layer * len(layers))(*map(self._layer, layers))
        self._norm = self._floats(model.model.norm.weight)
        self._half = int(model.lm_head.weight.dtype == torch.bfloat16)

    @torch.inference_mode()
    def __call__(
        self,
        token_ids: Tensor,
        coords: Tensor,
        readings: Sequence[Reading],
        wanted: Tensor,
        *,
        skip_attention: bool = False,
    ) -> Tensor:
        """Append tokens to their groups' caches.

        Args:
            token_ids: ``[T]`` in the order of READINGS.
            coords: ``[T, 2]`` (branch, column).
            readings: one a group.
            wanted: ``[K]`` indices of the tokens whose logits are needed; may be empty.
            skip_attention: leave attention out, to tell what the rest of a column costs.

        Returns:
            ``[K, V]`` float32 logits.
        """
        model = self._model.model
        hidden = model.embed_tokens(token_ids).float()  # [T, hidden], the kernel's own copy
        cosine, sine = (turn[0].contiguous() for turn in model.rotary_emb(hidden, coords[None]))  # [T, D]
        logits = hidden.new_empty(len(wanted), self._model.lm_head.out_features)
        tables = (*_tables(readings), wanted)
        load().pmind_column(
            *(ctypes.byref(self._shape), self._layers, self._norm, ctypes.byref(self._model.lm_head.packed)),
            *(value for table in tables for value in (table.data_ptr(), len(table))),
            *(tensor.data_ptr() for tensor in (cosine, sine, hidden, logits)),
            *(skip_attention, self._half, torch.get_num_threads()),
        )
        return logits

    def _layer(self, layer: nn.Module) -> Layer:
        attention = layer.self_attn
        norms = (layer.input_layernorm, layer.post_attention_layernorm)
        head_norms = (getattr(attention, name, None) for name in ("q_norm", "k_norm"))
        return Layer(
            *(linear.packed for linear in _linears(layer)),
            *(self._floats(norm.weight) for norm in norms),
            *(self._floats(norm.weight) if norm is not None else None for norm in head_norms),
        )

    def _floats(self, weight: Tensor) -> int:
        self._kept.append(weight.detach().float().contiguous())
        return self._kept[-1].data_ptr()


def supports(model: PreTrainedModel) -> bool:
    """Whether MODEL is packed and of a kind that :class:`CompiledColumn` computes."""
    if type(model).__name__ not in MODELS or not isinstance(model.lm_head, PackedLinear):
        return False
    config, attention = model.config, model.model.layers[0].self_attn
    head_norm = getattr(attention, "q_norm", None)
    return (
        config.hidden_act == "silu"
        and attention.head_dim <= MOST_HEAD
        and attention.head_dim % 2 == 0
        and (head_norm is None or head_norm.variance_epsilon == config.rms_norm_eps)
        and all(isinstance(linear, PackedLinear) for layer in model.model.layers for linear in _linears(layer))
    )


def pack(model: PreTrainedModel) -> PreTrainedModel:
    """Pack MODEL's linear layers in place where the kernel runs them: on a CPU, in float32 or bfloat16.

    The model can only infer afterwards. Elsewhere, and without a compiler, it stays as it is.
    """
    if model.device.type != "cpu" or model.dtype not in (torch.float32, torch.bfloat16) or load() is None:
        return model
    places = [
        (module, name, child)
        for module in model.modules()
        for name, child in module.named_children()
        if type(child) is nn.Linear and child.weight.dtype == model.dtype
        if model.dtype == torch.float32 or child.in_features % 2 == 0
    ]
    room = room_for([linear for _, _, linear in places], model.dtype)
    while places:  # each layer's own weights are freed before the next one's are packed
        module, name, linear = places.pop(0)
        setattr(module, name, PackedLinear(linear, room.pop(0)))
        del linear
    return model


def _linears(layer: nn.Module) -> list[nn.Module]:
    """In the order of the kernel's ``Layer`` struct."""
    attention, mlp = layer.self_attn, layer.mlp
    return [*(getattr(attention, name) for name in PROJECTIONS), mlp.gate_proj, mlp.up_proj, mlp.down_proj]


def _tables(readings: Sequence[Reading]) -> tuple[Tensor, Tensor]:
    """``[G, 10]`` and ``[T, 3]`` int64: the kernel's ``Group`` and ``Token`` structs."""
    groups, tokens = [], []
    for index, reading in enumerate(readings):
        pointers = (reading.context_keys, reading.context_values, reading.keys, reading.values)
        length, capacity = reading.context_keys.shape[2], reading.keys.shape[2]
        sizes = (length, length, capacity, reading.shared, len(tokens), len(reading.tokens))
        groups.append((*(tensor.data_ptr() for tensor in pointers), *sizes))
        tokens += [(index, start, place) for start, place in reading.tokens]
    return torch.tensor(groups, dtype=torch.int64), torch.tensor(tokens, dtype=torch.int64)
