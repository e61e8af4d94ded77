"""A Llama-like model as a GGUF file for llama.cpp, written from its tensors and without a tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from pmind.benchmark.runners.checkpoint import Checkpoint, Shape

if TYPE_CHECKING:  # an optional package: the module must load without it
    from gguf import GGUFWriter

WeightType = Literal["F32", "F16", "BF16"]


def write_gguf(checkpoint: Checkpoint, path: Path, weights: WeightType) -> None:
    """Write CHECKPOINT to PATH with matrices as WEIGHTS; norms and biases stay float32."""
    from gguf import GGUFWriter

    writer = GGUFWriter(path, checkpoint.shape.family)
    _write_sizes(writer, checkpoint.shape)
    _write_tensors(writer, checkpoint, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def interleave(rows: np.ndarray, heads: int) -> np.ndarray:
    """Reorder a head's rows from halves to neighbours, as llama.cpp rotates Llama's queries and keys.

    Transformers turns row i of a head with row i + D/2, llama.cpp row 2i with row 2i + 1.

    Example:
        >>> interleave(np.arange(8), heads=2).tolist()
        [0, 2, 1, 3, 4, 6, 5, 7]
    """
    halves = rows.reshape(heads, 2, len(rows) // heads // 2, *rows.shape[1:])  # [H, 2, F, ...]
    return halves.swapaxes(1, 2).reshape(rows.shape)


def _write_sizes(writer: GGUFWriter, shape: Shape) -> None:
    writer.add_block_count(shape.layers)
    writer.add_context_length(shape.positions)
    writer.add_embedding_length(shape.width)
    writer.add_feed_forward_length(shape.inner_width)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_width)
    writer.add_value_length(shape.head_width)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_vocab_size(shape.vocab)
    writer.add_tokenizer_model("none")


def _write_tensors(writer: GGUFWriter, checkpoint: Checkpoint, weights: WeightType) -> None:
    from gguf import MODEL_ARCH, MODEL_ARCH_NAMES, GGMLQuantizationType, get_tensor_name_map
    from gguf.quants import quantize

    architecture = next(arch for arch in MODEL_ARCH if MODEL_ARCH_NAMES[arch] == checkpoint.shape.family)
    names = get_tensor_name_map(architecture, checkpoint.shape.layers)
    for name, tensor in checkpoint.tensors.items():
        kind = GGMLQuantizationType[weights if tensor.ndim == 2 else "F32"]
        ordered = _in_order(name, tensor, checkpoint.shape)
        target = names.get_name(name, try_suffixes=(".weight", ".bias"))
        writer.add_tensor(target, quantize(ordered, kind), raw_dtype=kind)


def _in_order(name: str, tensor: np.ndarray, shape: Shape) -> np.ndarray:
    if shape.family != "llama":  # llama.cpp rotates the others in halves, like transformers
        return tensor
    if ".q_proj." in name:
        return interleave(tensor, shape.heads)
    if ".k_proj." in name:
        return interleave(tensor, shape.kv_heads)
    return tensor
