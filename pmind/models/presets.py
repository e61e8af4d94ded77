"""Shapes of the models trained from scratch."""

from transformers import LlamaConfig

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
