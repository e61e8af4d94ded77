"""One training run, from params to a trained model."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from transformers import PreTrainedModel

from pmind.models.loading import DTYPES
from pmind.models.settings import Settings
from pmind.params import OptimizerParams, TrainingParams
from pmind.training.checkpoints import Checkpoints
from pmind.training.loop import Loss, train
from pmind.training.loss import summed_loss
from pmind.training.objective import Objective
from pmind.training.optimizer import build_optimizers
from pmind.training.progress import Progress
from pmind.training.schedule import learning_rate_share
from pmind.visibility import VISIBILITIES


def run_training(
    model: PreTrainedModel,
    settings: Settings,
    objective: Objective,
    params: OptimizerParams,
    training: TrainingParams,
    checkpoints: Checkpoints,
    *,
    curves: Path | None = None,
    loss: Loss | None = None,
    before_step: Callable[[int], None] | None = None,
) -> Progress:
    """Train a wired model in place under the params' schedule, resuming where a killed run stopped.

    Every process that a launcher started calls it with the same arguments, and has the trained
    model when it returns.

    Args:
        model: wired, with an adapter or without.
        settings: who sees whom.
        objective: gives the parts of a step.
        params: steps and rates.
        training: how they are made.
        checkpoints: where to resume from, and to save to.
        curves: folder for DVCLive's; ``None`` for none.
        loss: of a batch, summed over its labels; ``None`` for cross-entropy.
        before_step: called with each step's number before its passes; must depend on it alone.

    Raises:
        TrainingError: the loss or its gradient is not a number, or the launcher asks for FSDP 1.
    """
    if loss is None:
        loss = partial(summed_loss, rule=VISIBILITIES[settings.visibility], attention=training.attention)
    optimizers = build_optimizers(
        model,
        learning_rate=params.learning_rate,
        matrix_learning_rate=params.matrix_learning_rate,
        weight_decay=params.weight_decay,
        optimizer=training.optimizer,
    )
    if training.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    progress = train(
        model,
        objective,
        loss,
        optimizers,
        checkpoints,
        steps=params.steps,
        learning_rate=_schedule(params, training),
        gradient_clip=params.gradient_clip,
        dtype=DTYPES[training.dtype],
        before_step=before_step,
        curves=curves,
    )
    if training.gradient_checkpointing:
        model.gradient_checkpointing_disable()
    model.eval()
    return progress


def _schedule(params: OptimizerParams, training: TrainingParams) -> Callable[[int], float]:
    return partial(
        learning_rate_share,
        steps=params.steps,
        warmup_steps=params.warmup_steps,
        schedule=training.schedule,
        decay_share=training.decay_share,
        final_share=training.final_share,
    )
