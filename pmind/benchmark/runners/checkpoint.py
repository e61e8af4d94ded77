"""Shape and tensors of a Llama-like model folder, for engines that want files of their own."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pmind.errors import ModelError

FAMILIES = ("llama", "qwen2", "qwen3")  # one block: norm, rotary attention, norm, gated silu


@dataclass(frozen=True)
class Shape:
    """Sizes of a decoder, under the names of its config.

    Attributes:
        family: ``model_type`` of the config, one of ``FAMILIES``.
        layers: decoder blocks.
        width: of the residual stream.
        inner_width: of the gated feed-forward.
        heads: of the queries.
        kv_heads: of keys and values.
        head_width: of one head.
        vocab: token ids.
        positions: longest text the model was made for.
        norm_epsilon: added to the mean square.
        rope_theta: base of the rotary frequencies.
    """

    family: str
    layers: int
    width: int
    inner_width: int
    heads: int
    kv_heads: int
    head_width: int
    vocab: int
    positions: int
    norm_epsilon: float
    rope_theta: float


@dataclass(frozen=True)
class Checkpoint:
    """A model folder read into memory.

    Attributes:
        shape: sizes.
        tensors: by their names in transformers, float32; a tied output head is left out.
    """

    shape: Shape
    tensors: dict[str, np.ndarray]


def read_checkpoint(folder: Path) -> Checkpoint:
    """Config and tensors of FOLDER.

    Raises:
        ModelError: a file is missing, or the model is of a kind that is not converted.
    """
    return Checkpoint(read_shape(folder), _tensors(folder))


def read_shape(folder: Path) -> Shape:
    """Sizes that FOLDER's config tells.

    Raises:
        ModelError: no config, another family, or rotary frequencies other than the plain ones.
    """
    config = _config(folder)
    rope = config.get("rope_parameters") or config
    _refuse_strangers(config, rope, folder)
    heads = config["num_attention_heads"]
    return Shape(
        family=config["model_type"],
        layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        inner_width=config["intermediate_size"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_width=config.get("head_dim") or config["hidden_size"] // heads,
        vocab=config["vocab_size"],
        positions=config["max_position_embeddings"],
        norm_epsilon=config["rms_norm_eps"],
        rope_theta=float(rope.get("rope_theta", 10_000.0)),
    )


def _config(folder: Path) -> dict:
    path = folder / "config.json"
    if not path.is_file():
        raise ModelError(f"{folder} has no config.json; pass the folder of a saved model, an adapter after pmind merge")
    return json.loads(path.read_text(encoding="utf-8"))


def _refuse_strangers(config: dict, rope: dict, folder: Path) -> None:
    if config.get("model_type") not in FAMILIES:
        raise ModelError(
            f"{folder}: {config.get('model_type')} models are not converted, only {', '.join(FAMILIES)}; "
            "leave this engine out of the benchmark's methods"
        )
    scaling = rope.get("rope_type") or (config.get("rope_scaling") or {}).get("rope_type") or "default"
    if scaling != "default" or config.get("use_sliding_window") or config.get("hidden_act") != "silu":
        raise ModelError(
            f"{folder}: scaled rotary frequencies, sliding windows and activations other than silu are not converted; "
            "leave this engine out of the benchmark's methods"
        )


def _tensors(folder: Path) -> dict[str, np.ndarray]:
    from safetensors.torch import load_file  # numpy has no bfloat16

    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        raise ModelError(f"{folder} has no model.safetensors; save the model with save_pretrained()")
    return {name: tensor.float().numpy() for path in files for name, tensor in load_file(path).items()}
