"""The training loop of both stages."""

import math
import time
from collections.abc import Sequence

from accelerate import Accelerator
from torch.optim import Optimizer
from tqdm import tqdm
from transformers import PreTrainedModel

from pmind.errors import TrainingError
from pmind.training.batches import TrainingBatch
from pmind.training.checkpoints import Checkpoints
from pmind.training.loss import summed_loss
from pmind.training.objective import Objective
from pmind.training.optimizer import learning_rate_share, set_learning_rates
from pmind.training.progress import Progress
from pmind.visibility import Visibility


def train(
    model: PreTrainedModel,
    objective: Objective,
    rule: Visibility,
    optimizers: Sequence[Optimizer],
    checkpoints: Checkpoints,
    *,
    steps: int,
    warmup_steps: int,
    gradient_clip: float,
) -> Progress:
    """Train a wired model in place, from its last checkpoint where there is one.

    Args:
        model: moved to the accelerator that is there.
        objective: gives the batches of a step.
        rule: who sees whom.
        optimizers: of the model's parameters, with their peak learning rates.
        checkpoints: where to resume from, and to save to.
        steps: to make in all.
        warmup_steps: in which the learning rate rises.
        gradient_clip: largest norm of the gradient; 0 leaves it as it is.

    Raises:
        TrainingError: the loss is not a number.
    """
    accelerator = Accelerator()
    model, *optimizers = accelerator.prepare(model, *optimizers)
    model.train()
    progress = checkpoints.resume(model, optimizers)
    with tqdm(total=steps, initial=progress.step, unit="step", disable=None) as bar:
        while progress.step < steps:
            start = time.monotonic()
            batches = [batch.to(accelerator.device) for batch in objective(progress.step)]
            set_learning_rates(optimizers, learning_rate_share(progress.step, steps, warmup_steps))
            loss = _accumulate(model, batches, rule, accelerator)
            _check_finite(loss, progress.step)
            _apply(model, optimizers, gradient_clip, accelerator)
            progress.add(loss, _label_tokens(batches), time.monotonic() - start)
            _show(bar, progress)
            if progress.step % checkpoints.every == 0 or progress.step == steps:
                checkpoints.save(model, optimizers, progress)
    return progress


def _accumulate(
    model: PreTrainedModel, batches: Sequence[TrainingBatch], rule: Visibility, accelerator: Accelerator
) -> float:
    """Gradient of the mean loss over the labels of all batches; returns that mean."""
    labels = _label_tokens(batches)
    total = 0.0
    for batch in batches:
        with accelerator.autocast():
            loss = summed_loss(model, batch, rule) / labels
        accelerator.backward(loss)
        total += loss.item()
    return total


def _apply(
    model: PreTrainedModel, optimizers: Sequence[Optimizer], gradient_clip: float, accelerator: Accelerator
) -> None:
    if gradient_clip > 0:
        accelerator.clip_grad_norm_(model.parameters(), gradient_clip)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad()


def _label_tokens(batches: Sequence[TrainingBatch]) -> int:
    return sum(batch.label_tokens for batch in batches)


def _check_finite(loss: float, step: int) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"step {step + 1}: the loss is {loss}. Lower learning_rate or matrix_learning_rate, "
            "or raise warmup_steps, and run the stage again"
        )


def _show(bar: tqdm, progress: Progress) -> None:
    bar.set_postfix(loss=f"{progress.losses[-1]:.3f}", tokens_per_s=round(progress.tokens_per_second), refresh=False)
    bar.update()
