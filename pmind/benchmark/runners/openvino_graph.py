"""A Llama-like model as an OpenVINO graph, written from its tensors.

optimum-intel, which would trace the model instead, wants an older transformers than pmind. The
operations and their order follow its export, since OpenVINO recognises attention, cache and rotary
embedding by their pattern and replaces them by faster ones:

    read cache ─ gather ─ concat ─ repeat heads ─ attention  →  PagedAttention
                            └─ assign cache
    x · cos + rotated x · sin  →  RoPE
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pmind.benchmark.runners.checkpoint import Checkpoint

if TYPE_CHECKING:  # an optional package: the module must load without it
    import openvino
    from openvino import Node

MASKED = float(np.finfo(np.float16).min)  # finite in every precision
LAST = np.iinfo(np.int64).max


def save_graph(checkpoint: Checkpoint, path: Path) -> None:
    """Write CHECKPOINT's graph to PATH and its weights, in float32, beside it."""
    import openvino

    openvino.save_model(build_graph(checkpoint), path, compress_to_fp16=False)


def build_graph(checkpoint: Checkpoint) -> openvino.Model:
    """The graph from token ids to logits that keeps keys and values between calls.

    Inputs are those that OpenVINO GenAI feeds: ``input_ids``, ``attention_mask``, ``position_ids``
    (``[B, T]`` each) and ``beam_idx`` (``[B]``); the output is ``logits`` ``[B, T, V]``.
    """
    return _Writer(checkpoint).model()


class _Writer:
    """One graph while it grows; shape letters as elsewhere, E the width and K the key heads."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        from openvino import opset13

        self._ops = opset13
        self._shape = checkpoint.shape
        self._tensors = checkpoint.tensors
        self._ids, self._mask, self._positions = (
            self._input(name, [-1, -1], np.int64) for name in ("input_ids", "attention_mask", "position_ids")
        )
        self._beams = self._input("beam_idx", [-1], np.int32)
        self._embedding = self._weight("model.embed_tokens.weight")
        self._cos, self._sin = self._rotary()  # [B, 1, T, D]
        self._bias = self._causal_bias()  # [B, 1, T, S]
        self._sinks: list[Node] = []

    def model(self) -> openvino.Model:
        """The finished graph."""
        from openvino import Model

        ops = self._ops
        stream = ops.gather(self._embedding, ops.convert(self._ids, "i32"), np.int32(0))  # [B, T, E]
        for layer in range(self._shape.layers):
            stream = self._block(stream, f"model.layers.{layer}")
        head = self._weight("lm_head.weight") if "lm_head.weight" in self._tensors else self._embedding
        result = ops.result(ops.matmul(self._norm(stream, "model.norm"), head, False, True))
        result.output(0).get_tensor().set_names({"logits"})
        return Model([result], self._sinks, [self._ids, self._mask, self._positions, self._beams], "pmind")

    def _block(self, stream: Node, name: str) -> Node:
        add = self._ops.add
        stream = add(stream, self._attention(self._norm(stream, f"{name}.input_layernorm"), f"{name}.self_attn"))
        return add(stream, self._feed_forward(self._norm(stream, f"{name}.post_attention_layernorm"), f"{name}.mlp"))

    def _feed_forward(self, stream: Node, name: str) -> Node:
        gate = self._ops.swish(self._linear(stream, f"{name}.gate_proj"))
        raised = self._linear(stream, f"{name}.up_proj")
        return self._linear(self._ops.multiply(gate, raised), f"{name}.down_proj")

    def _attention(self, stream: Node, name: str) -> Node:
        ops, shape = self._ops, self._shape
        queries = self._rotate(self._split(stream, f"{name}.q", shape.heads))
        keys = self._rotate(self._split(stream, f"{name}.k", shape.kv_heads))
        values = self._split(stream, f"{name}.v", shape.kv_heads)
        keys = self._repeat(self._cached(keys, f"{name}.key"))
        values = self._repeat(self._cached(values, f"{name}.value"))
        scale = np.float32(shape.head_width**-0.5)
        mixed = ops.scaled_dot_product_attention(queries, keys, values, self._bias, scale)  # [B, H, T, D]
        mixed = ops.transpose(mixed, [0, 2, 1, 3])  # [B, T, H, D]
        return self._linear(ops.reshape(mixed, [0, 0, shape.heads * shape.head_width], True), f"{name}.o_proj")

    def _split(self, stream: Node, name: str, heads: int) -> Node:
        ops = self._ops
        split = ops.reshape(self._linear(stream, f"{name}_proj"), [0, 0, heads, self._shape.head_width], True)
        if f"{name}_norm.weight" in self._tensors:
            split = self._norm(split, f"{name}_norm")
        return ops.transpose(split, [0, 2, 1, 3])  # [B, T, H, D] -> [B, H, T, D]

    def _rotate(self, heads: Node) -> Node:
        ops, half = self._ops, self._shape.head_width // 2
        first, second = ops.slice(heads, [0], [half], [1], [3]), ops.slice(heads, [half], [LAST], [1], [3])
        turned = ops.concat([ops.multiply(second, np.float32(-1)), first], -1)
        return ops.add(ops.multiply(heads, self._cos), ops.multiply(turned, self._sin))

    def _cached(self, new: Node, name: str) -> Node:
        """Put NEW keys or values behind those of earlier calls: ``[B, K, T, D]`` to ``[B, K, S, D]``."""
        ops, kv_heads, width = self._ops, self._shape.kv_heads, self._shape.head_width
        rows = ops.gather(ops.shape_of(self._ids), [0], np.int64(0))  # [1]: B
        empty = ops.broadcast(np.float32(0), ops.concat([rows, np.array([kv_heads, 0, width])], 0))
        past = ops.read_value(empty, name, np.float32, [-1, kv_heads, -1, width])
        cached = ops.concat([ops.gather(past, self._beams, np.int64(0)), new], 2)
        self._sinks.append(ops.assign(cached, name))
        return cached

    def _repeat(self, cached: Node) -> Node:
        """Give every query head its keys: ``[B, K, S, D]`` to ``[B, H, S, D]``."""
        ops, shape = self._ops, self._shape
        group = shape.heads // shape.kv_heads
        if group == 1:
            return cached
        lone = ops.unsqueeze(cached, np.int64(2))  # [B, K, 1, S, D]
        spread = ops.broadcast(lone, [1, 1, group, 1, 1], broadcast_spec="BIDIRECTIONAL")
        return ops.reshape(spread, [0, shape.heads, -1, shape.head_width], True)

    def _linear(self, stream: Node, name: str) -> Node:
        product = self._ops.matmul(stream, self._weight(f"{name}.weight"), False, True)
        if f"{name}.bias" not in self._tensors:
            return product
        return self._ops.add(product, self._tensors[f"{name}.bias"][None, None])

    def _norm(self, stream: Node, name: str) -> Node:
        ops = self._ops
        mean = ops.reduce_mean(ops.power(stream, np.float32(2)), [-1], True)
        root = ops.sqrt(ops.add(mean, np.float32(self._shape.norm_epsilon)))
        return ops.multiply(self._weight(f"{name}.weight"), ops.multiply(stream, ops.divide(np.float32(1), root)))

    def _weight(self, name: str) -> Node:
        return self._ops.constant(self._tensors[name], shared_memory=True)

    def _input(self, name: str, shape: list[int], dtype: type) -> Node:
        parameter = self._ops.parameter(shape, dtype)
        parameter.set_friendly_name(name)  # paged attention finds its inputs by it
        parameter.output(0).get_tensor().set_names({name})
        return parameter

    def _rotary(self) -> tuple[Node, Node]:
        ops, width = self._ops, self._shape.head_width
        exponents = np.arange(0, width, 2, dtype=np.float32) / width
        frequencies = (1.0 / np.float32(self._shape.rope_theta) ** exponents)[None, :, None]  # [1, F, 1]
        columns = ops.convert(ops.unsqueeze(self._positions, np.int64(1)), "f32")  # [B, 1, T]
        angles = ops.transpose(ops.matmul(frequencies, columns, False, False), [0, 2, 1])  # [B, T, F]
        both = ops.concat([angles, angles], -1)  # [B, T, D]
        return ops.unsqueeze(ops.cos(both), np.int64(1)), ops.unsqueeze(ops.sin(both), np.int64(1))

    def _causal_bias(self) -> Node:
        """Zero where a token may look; dropped where paged attention takes over, which has it built in."""
        ops = self._ops
        length = ops.gather(ops.shape_of(self._mask), np.int64(1), np.int64(0))
        keys = ops.range(np.int64(0), length, np.int64(1), "i64")  # [S]
        rows = ops.unsqueeze(self._positions, [1, 3])  # [B, 1, T, 1]
        return ops.select(ops.less_equal(keys, rows), np.float32(0), np.float32(MASKED))
