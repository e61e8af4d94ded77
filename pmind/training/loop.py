"""The training loop of both stages, on one process or many."""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import PreTrainedModel

from pmind.training.batches import TrainingBatch
from pmind.training.checkpoints import Checkpoints
from pmind.training.display import Pace, show_progress
from pmind.training.distributed import Unsharded, new_accelerator, whole
from pmind.training.faults import stop_unless_finite
from pmind.training.flops import count_flops
from pmind.training.logs import log_curves
from pmind.training.objective import Objective, Share, upcoming_shares
from pmind.training.optimizer import set_learning_rates
from pmind.training.progress import Progress

Loss = Callable[[nn.Module, TrainingBatch], Tensor]
WORKERS = 4  # processes that lay out the next steps while a GPU works


def train(
    model: PreTrainedModel,
    objective: Objective,
    loss: Loss,
    optimizers: Sequence[Optimizer],
    checkpoints: Checkpoints,
    *,
    steps: int,
    learning_rate: Callable[[int], float],
    gradient_clip: float,
    dtype: torch.dtype = torch.float32,
    before_step: Callable[[int], None] | None = None,
    curves: Path | None = None,
) -> Progress:
    """Train a model in place, from its last checkpoint where there is one.

    Args:
        model: moved to the accelerator that is there.
        objective: gives the parts of a step.
        loss: of a batch, summed over its labels, as a float32 scalar.
        optimizers: of the model's parameters, with their peak learning rates.
        checkpoints: where to resume from, and to save to.
        steps: to make in all.
        learning_rate: share of the peaks at a step.
        gradient_clip: largest norm of the gradient; 0 leaves it as it is.
        dtype: of the matrix products; bfloat16 by autocast.
        before_step: called with the step's number before its first pass.
        curves: folder for DVCLive.

    Raises:
        TrainingError: the loss or its gradient is not a number.
    """
    accelerator = new_accelerator()
    pace = Pace(count_flops(model), dtype, accelerator)
    unsharded = Unsharded(model) if accelerator.is_fsdp2 else None
    network, *optimizers = accelerator.prepare(model, *optimizers)
    network.train()
    _part_random_numbers(accelerator)
    progress = checkpoints.resume(network, optimizers, accelerator)
    stepper = _Stepper(network, optimizers, loss, gradient_clip, dtype, accelerator, checkpoints.folder)
    shares = _upcoming(objective, range(progress.step, steps), accelerator)
    with (
        log_curves(curves if accelerator.is_main_process else None, progress, learning_rate) as log,
        show_progress(progress, steps, pace) as show,
    ):
        while progress.step < steps:
            start = time.monotonic()
            share = next(shares)
            if before_step:
                before_step(progress.step)
            set_learning_rates(optimizers, learning_rate(progress.step))
            mean, norm = stepper(share, progress.step)
            progress.add(mean, norm, share.label_tokens, sum(share.lengths), time.monotonic() - start)
            pace.add(share, progress.seconds[-1])
            log()
            show()
            if progress.step % checkpoints.every == 0 or progress.step == steps:
                checkpoints.save(network, optimizers, progress, accelerator)
    if unsharded:
        unsharded.restore(model)
    return progress


@dataclass(frozen=True)
class _Stepper:
    """One optimizer step; the same loss and gradient norm come out on every process."""

    network: nn.Module
    optimizers: Sequence[Optimizer]
    loss: Loss
    gradient_clip: float
    dtype: torch.dtype
    accelerator: Accelerator
    folder: Path

    def __call__(self, share: Share, step: int) -> tuple[float, float]:
        batches = share.to(self.accelerator.device)
        losses = [self._add_gradient(batches, number, share.label_tokens) for number in range(len(batches))]
        mean = self.accelerator.reduce(sum(part.double() for part in losses), "mean")
        stats = torch.stack((mean, whole(self._clip()).double())).tolist()  # the step's only wait for the device
        stop_unless_finite(*stats, step, [batch for batch, _ in batches], losses, self.folder, self.accelerator)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        return tuple(stats)

    def _add_gradient(self, batches: Sequence[tuple[TrainingBatch, float]], number: int, labels: int) -> Tensor:
        """Add a part's gradient to what it is so far; returns the part's share of the step's mean loss.

        What processes exchange is the mean of their gradients, hence labels a process.
        """
        batch, weight = batches[number]
        exchange = self.accelerator.is_fsdp2 or number == len(batches) - 1  # FSDP has room for shards only
        with nullcontext() if exchange else self.accelerator.no_sync(self.network):
            with torch.autocast(self.accelerator.device.type, self.dtype, enabled=self.dtype != torch.float32):
                loss = self.loss(self.network, batch) * weight / (labels / self.accelerator.num_processes)
            loss.backward()
        return loss.detach()

    def _clip(self) -> Tensor:
        """The gradient's norm before it is clipped."""
        return self.accelerator.clip_grad_norm_(self.network.parameters(), self.gradient_clip or math.inf)


def _upcoming(objective: Objective, steps: range, accelerator: Accelerator) -> Iterator[Share]:
    rank, count = accelerator.process_index, accelerator.num_processes
    ahead = min(WORKERS, (os.cpu_count() or 1) // count) if accelerator.device.type == "cuda" else 0
    return upcoming_shares(objective, steps, rank, count, ahead)


def _part_random_numbers(accelerator: Accelerator) -> None:
    """Let each process drop other activations than its siblings."""
    if accelerator.process_index:
        torch.manual_seed(torch.initial_seed() + accelerator.process_index)
