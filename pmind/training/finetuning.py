"""Fine-tuning by the params: what it begins with, what a step trains on, and what the loss is."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from peft import PeftModel
from torch import nn
from transformers import PreTrainedModel

from pmind.crossbatch.files import has_crossbatch
from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import ModelError, TrainingError
from pmind.models.adapters import start_adapter
from pmind.models.loading import load_model, resolve_folder
from pmind.models.settings import Settings
from pmind.params import FinetuneParams, LoraParams, TrainingParams
from pmind.training.annealing import anneal_branches
from pmind.training.batches import Sample
from pmind.training.crossbatch import exchanging
from pmind.training.distillation import distilled_loss
from pmind.training.distributed import join_training
from pmind.training.loop import Loss
from pmind.training.loss import summed_loss
from pmind.training.own_answers import OwnAnswers, answer_samples
from pmind.training.start import has_branch_axis, load_for_training
from pmind.visibility import VISIBILITIES


def start_student(
    model: str | Path, settings: Settings, config: FinetuneParams, lora: LoraParams
) -> PreTrainedModel | PeftModel:
    """The model to train, wired for its final settings, with an adapter where the params want one.

    Raises:
        ModelError: the model has a cross-batch module, or cannot be loaded or wired.
    """
    if has_crossbatch(resolve_folder(model)):
        raise ModelError(
            f"{model}: its weights were trained with a cross-batch module, which training on would leave behind. "
            "Train the model that it was made from"
        )
    network = load_for_training(model, settings)
    return start_adapter(network, model, **asdict(lora)) if config.adapter == "lora" else network


def answers_of(model: str | Path, samples: Sequence[Sample], max_new_tokens: int) -> OwnAnswers:
    """Samples with what the model says by itself as answers, each of at most so many tokens."""
    decoder = ParallelDecoder.from_pretrained(model, device=str(join_training().device))
    return answer_samples(decoder, samples, max_new_tokens=max_new_tokens)


def finetuning_loss(
    model: str | Path, settings: Settings, config: FinetuneParams, training: TrainingParams, *, mixes: bool = False
) -> Loss | None:
    """The loss with a copy of the model as teacher; ``None``, the plain one, where nothing is distilled.

    Args:
        model: what training begins with, and the teacher.
        settings: who sees whom.
        config: share of the teacher.
        training: what computes attention.
        mixes: whether the student has a cross-batch module, which must be told who its tokens' peers are.
    """
    rule = VISIBILITIES[settings.visibility]
    loss = None
    if config.distillation:
        loss = distilled_loss(load_model(model)[0], config.distillation, rule, training.attention)
    if not mixes:
        return loss
    return exchanging(loss or partial(summed_loss, rule=rule, attention=training.attention))


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
