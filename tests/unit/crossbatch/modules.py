"""Cross-batch modules on the random models of the tests: untrained ones, and ones that change everything."""

import torch
from torch import Tensor, nn

from pmind.crossbatch.config import CrossBatchConfig
from pmind.crossbatch.hook import attach, mixing, naming
from pmind.crossbatch.module import CrossBatch
from pmind.crossbatch.peers import answer_peers
from pmind.models.settings import Settings
from pmind.training.batches import NO_LABEL, Collator, Sample, TrainingBatch
from pmind.training.loss import batch_logits
from pmind.visibility import VISIBILITIES
from tests.tiny import SHAPE, wired_model

USUAL = CrossBatchConfig()
HIDDEN = SHAPE["hidden_size"]
CONFIGS = {
    f"{kind}, {combine}": CrossBatchConfig(kind, heads=4, combine=combine)
    for kind in ("attention", "mixer")
    for combine in ("scale", "gate")
}


def untrained(config: CrossBatchConfig = USUAL) -> CrossBatch:
    """A module as training begins with it."""
    torch.manual_seed(3)
    return CrossBatch(HIDDEN, config)


def trained(config: CrossBatchConfig = USUAL) -> CrossBatch:
    """A module whose siblings tell each other much."""
    module = untrained(config)
    nn.init.normal_(module.inform.output.weight, std=0.5)
    return module


def model_with(module: CrossBatch, settings: Settings, kind: str = "llama_gqa", dtype: torch.dtype = torch.float32):
    """The random model with a module."""
    model = wired_model(kind, settings, dtype)
    attach(model, module)
    return model


def batch_of(settings: Settings, *groups) -> TrainingBatch:
    """Groups as they are trained on, each of their answers complete."""
    samples = [Sample(group.context, group.prompts, group.answers, [True] * len(group.prompts)) for group in groups]
    return Collator(settings.alignment, 0, 0)(samples)


def mixed_logits(model, settings: Settings, batch: TrainingBatch) -> Tensor:
    """``[B, T, V]`` of all tokens as in training."""
    peers = answer_peers(batch.coords, batch.labels != NO_LABEL)
    with torch.no_grad(), mixing(model):
        return batch_logits(naming(model, peers), batch, VISIBILITIES[settings.visibility], 0, "dense")
