"""Random models small enough for tests; every call gives the same weights again.

Weights are large and norms and biases are random too, so that attention and every position
matter to the logits: with the usual small weights a wrong mask would go unnoticed.
"""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import nn
from transformers import LlamaConfig, PreTrainedModel, PreTrainedTokenizerFast, Qwen2Config, Qwen3Config
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from pmind.decoding.decoder import ParallelDecoder
from pmind.models.settings import STOCK, Settings
from pmind.models.wiring import wire
from pmind.native.column import pack

VOCAB = 61
POSITIONS = 512
SHAPE = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "head_dim": 16,
    "max_position_embeddings": POSITIONS,
    "initializer_range": 0.2,
    "tie_word_embeddings": False,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
CONFIGS = {
    "llama": (LlamaConfig, {"num_key_value_heads": 4}),
    "llama_gqa": (LlamaConfig, {"num_key_value_heads": 2}),
    "qwen2": (Qwen2Config, {"num_key_value_heads": 4}),  # biases
    "qwen2_tied": (Qwen2Config, {"num_key_value_heads": 2, "tie_word_embeddings": True}),
    "qwen3": (Qwen3Config, {"num_key_value_heads": 4}),  # normalises queries and keys
}
KINDS = tuple(CONFIGS)


def stock_model(kind: str = "llama_gqa", dtype: torch.dtype = torch.float32, **changes: object) -> PreTrainedModel:
    """A random model as transformers builds it, never wired."""
    config_class, shape = CONFIGS[kind]
    return random_model(config_class(**SHAPE | shape | changes), dtype)


def random_model(config: object, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """A model of CONFIG with random weights, norms and biases."""
    torch.manual_seed(0)
    plainest = "sdpa" if dtype == torch.float64 else "eager"  # eager attention rounds to float32 inside
    model = AutoModelForCausalLM.from_config(config, attn_implementation=plainest)
    for parameter in model.parameters():
        if parameter.dim() == 1:  # norm weights and biases
            nn.init.uniform_(parameter, 0.5, 1.5)
    return model.to(dtype).eval()


def wired_model(
    kind: str = "llama_gqa",
    settings: Settings = STOCK,
    dtype: torch.dtype = torch.float32,
    *,
    compiled: bool = False,
    **changes: object,
) -> PreTrainedModel:
    """The same random model, wired; packed for the compiled column if COMPILED."""
    model = wire(stock_model(kind, dtype, **changes), settings)
    return pack(model) if compiled else model


def decoder_of(
    kind: str = "llama_gqa", settings: Settings = STOCK, stop_ids: tuple[int, ...] = (), *, compiled: bool = False
) -> ParallelDecoder:
    """A decoder around the random model that stops at STOP_IDS."""
    model = wired_model(kind, settings, compiled=compiled)
    model.generation_config.eos_token_id = list(stop_ids)
    return ParallelDecoder(model, build_word_tokenizer(), settings)


def build_word_tokenizer() -> PreTrainedTokenizerFast:
    """Id i is the word "wi"; words are joined by spaces."""
    tokenizer = Tokenizer(models.WordLevel({f"w{i}": i for i in range(VOCAB)}, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)
