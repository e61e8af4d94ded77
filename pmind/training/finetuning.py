"""Fine-tuning by the params: what it begins with, what a step trains on, and what the loss is."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel

from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import TrainingError
from pmind.models.adapters import start_adapter
from pmind.models.loading import load_model
from pmind.models.settings import Settings
from pmind.params import FinetuneParams, LoraParams, TrainingParams
from pmind.training.annealing import anneal_branches
from pmind.training.batches import Sample
from pmind.training.distillation import distilled_loss
from pmind.training.distributed import join_training
from pmind.training.loop import Loss
from pmind.training.own_answers import OwnAnswers, answer_samples
from pmind.training.start import has_branch_axis, load_for_training
from pmind.visibility import VISIBILITIES


def start_student(
    model: str | Path, settings: Settings, config: FinetuneParams, lora: LoraParams
) -> PreTrainedModel | PeftModel:
    """The model to train, wired for its final settings, with an adapter where the params want one."""
    network = load_for_training(model, settings)
    return start_adapter(network, model, **asdict(lora)) if config.adapter == "lora" else network


def answers_of(model: str | Path, samples: Sequence[Sample], max_new_tokens: int) -> OwnAnswers:
    """Samples with what the model says by itself as answers, each of at most so many tokens."""
    decoder = ParallelDecoder.from_pretrained(model, device=str(join_training().device))
    return answer_samples(decoder, samples, max_new_tokens=max_new_tokens)


def finetuning_loss(
    model: str | Path, settings: Settings, config: FinetuneParams, training: TrainingParams
) -> Loss | None:
    """The loss with a copy of the model as teacher; ``None``, the plain one, where nothing is distilled."""
    if not config.distillation:
        return None
    teacher, _ = load_model(model)
    return distilled_loss(teacher, config.distillation, VISIBILITIES[settings.visibility], training.attention)


def annealing(network: nn.Module, model: str | Path, config: FinetuneParams) -> Callable[[int], None] | None:
    """What is to be done before each step so that the branch axis enters slowly; ``None`` where it is not to."""
    if not config.anneal_steps:
        return None
    if has_branch_axis(model):
        raise TrainingError(
            f"anneal_steps {config.anneal_steps} would take the branch axis from {model}, which was trained with it. "
            "Set anneal_steps to 0"
        )
    return anneal_branches(network, config.anneal_steps, config.steps)
