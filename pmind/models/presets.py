"""Shapes of the models trained from scratch, and of well-known ones to time with random weights."""

from typing import Any

from transformers import LlamaConfig, PretrainedConfig, Qwen2Config

PRESETS: dict[str, dict[str, int | float | bool]] = {
    "tiny": {
        "hidden_size": 128,
        "intermediate_size": 352,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 2048,
        "rope_theta": 10_000.0,
        "attention_bias": True,  # without it a model this small learned to look facts up far later
    },
    "small": {
        "hidden_size": 256,
        "intermediate_size": 704,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "num_key_value_heads": 8,
        "max_position_embeddings": 2048,
        "rope_theta": 10_000.0,
        "attention_bias": True,
    },
    "minimind-26m": {
        "hidden_size": 512,
        "intermediate_size": 1408,
        "num_hidden_layers": 8,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32_768,
        "rope_theta": 1_000_000.0,
    },
    "minimind-104m": {
        "hidden_size": 768,
        "intermediate_size": 2432,
        "num_hidden_layers": 16,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32_768,
        "rope_theta": 1_000_000.0,
    },
}

QWEN2 = {
    "max_position_embeddings": 32_768,
    "rope_theta": 1_000_000.0,
    "num_key_value_heads": 2,
    "vocab_size": 151_936,
    "tie_word_embeddings": True,
}
KNOWN: dict[str, tuple[type[PretrainedConfig], dict[str, Any]]] = {  # from their published configs
    "qwen2.5-0.5b": (
        Qwen2Config,
        QWEN2 | {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14},
    ),
    "qwen2.5-1.5b": (
        Qwen2Config,
        QWEN2 | {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12},
    ),
    "qwen2.5-7b": (
        Qwen2Config,
        QWEN2
        | {
            "hidden_size": 3584,
            "intermediate_size": 18_944,
            "num_hidden_layers": 28,
            "num_attention_heads": 28,
            "num_key_value_heads": 4,
            "vocab_size": 152_064,
            "tie_word_embeddings": False,
        },
    ),
    "llama-3-8b": (
        LlamaConfig,
        {
            "hidden_size": 4096,
            "intermediate_size": 14_336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "vocab_size": 128_256,
            "max_position_embeddings": 8192,
            "rope_theta": 500_000.0,
            "tie_word_embeddings": False,
        },
    ),
}
TIMED_VOCABULARY = 6400  # of the presets that have none of their own, as in MiniMind


def timed_config(name: str) -> PretrainedConfig:
    """Config of any shape, by name, for a model with random weights that is only timed."""
    if name in PRESETS:
        return preset_config(name, TIMED_VOCABULARY, eos_token_id=2, pad_token_id=0)
    kind, shape = KNOWN[name]
    shape = dict(shape)
    theta = shape.pop("rope_theta")
    return kind(**shape, rope_parameters={"rope_type": "default", "rope_theta": theta}, pad_token_id=0)


def preset_config(name: str, vocab_size: int, eos_token_id: int, pad_token_id: int) -> LlamaConfig:
    """Config of a preset for a tokenizer of ``vocab_size`` ids; embeddings are tied."""
    shape = dict(PRESETS[name])
    theta = shape.pop("rope_theta")
    return LlamaConfig(
        **shape,
        vocab_size=vocab_size,
        rope_parameters={"rope_type": "default", "rope_theta": theta},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=eos_token_id,
        pad_token_id=pad_token_id,
    )
