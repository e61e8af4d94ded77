"""Base models with adapters trained for a few steps, and what they say of a fixed batch."""

import random
from pathlib import Path

import torch
from peft import PeftModel
from torch import Tensor
from transformers import MistralConfig, PreTrainedModel, PreTrainedTokenizerBase

from pmind.models.adapters import start_adapter
from pmind.models.loading import load_tokenizer
from pmind.models.settings import Settings
from pmind.models.wiring import forward
from pmind.training.batches import Sample, TrainingBatch
from pmind.training.loss import summed_loss
from pmind.training.start import load_for_training, make_collator, save_trained
from pmind.visibility import columnar, dense_mask
from tests.tiny import SHAPE, VOCAB, build_word_tokenizer, random_model, stock_model

SETTINGS = Settings(rope_2d_ratio=0.25, branch_stride=16, visibility="columnar", alignment="right")
LORA = {
    "rank": 4,
    "alpha": 8.0,
    "dropout": 0.0,
    "target_modules": "all-linear",
    "rank_stabilised": False,
    "dora": False,
}
FAMILIES = ("llama_gqa", "qwen2_tied", "qwen3", "mistral")


def write_base(folder: Path, kind: str = "llama_gqa") -> Path:
    """A random stock model on disk."""
    if kind == "mistral":
        model = random_model(MistralConfig(**SHAPE | {"num_key_value_heads": 2, "sliding_window": None}))
    else:
        model = stock_model(kind)
    model.save_pretrained(folder)
    words().save_pretrained(folder)
    return folder


def words() -> PreTrainedTokenizerBase:
    """Of the random models; w1 ends an answer."""
    tokenizer = build_word_tokenizer()
    tokenizer.eos_token = "w1"
    return tokenizer


def fixed_batch(tokenizer: PreTrainedTokenizerBase) -> TrainingBatch:
    """Two groups of branches; their ids are in every vocabulary here."""
    return make_collator("right", tokenizer)([_sample(random.Random(seed)) for seed in range(2)])


def _sample(rng: random.Random) -> Sample:
    context, *answers = ([rng.randrange(2, VOCAB) for _ in range(6)] for _ in range(4))
    return Sample(context, [()] * 3, answers, [True] * 3)


def adapter_of(base: str | Path, **changes: object) -> PeftModel:
    """An adapter that has learnt nothing yet; CHANGES are arguments of start_adapter()."""
    model = load_for_training(base, SETTINGS)
    torch.manual_seed(1)
    return start_adapter(model, base, **LORA | changes)


def train_steps(model: PeftModel, batch: TrainingBatch, steps: int = 6, rate: float = 0.01) -> list[float]:
    """Adam on one batch; the loss before every step, in nats a label."""
    model.train()
    optimizer = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad], lr=rate)
    losses = []
    for _ in range(steps):
        loss = summed_loss(model, batch, columnar) / batch.label_tokens
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    return losses


def trained_adapter(base: str | Path, out: Path, **changes: object) -> PeftModel:
    """Trained for a few steps and saved."""
    tokenizer = load_tokenizer(base)
    model = adapter_of(base, **changes)
    train_steps(model, fixed_batch(tokenizer))
    save_trained(out, model, tokenizer, SETTINGS)
    return model


@torch.no_grad()
def logits(model: PreTrainedModel | PeftModel, batch: TrainingBatch) -> Tensor:
    """``[B, T, V]``."""
    return forward(model, batch.token_ids, batch.coords, dense_mask(columnar, batch.coords, batch.coords))


def assert_same(model: PreTrainedModel | PeftModel, expected: Tensor, batch: TrainingBatch) -> None:
    """Same logits up to rounding."""
    allowed = 1e-5 * max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(logits(model, batch), expected, rtol=0, atol=allowed)
