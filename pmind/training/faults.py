"""A run whose loss or gradient is no number ends, and keeps what it was fed."""

import math
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from accelerate import Accelerator
from safetensors.torch import save_file
from torch import Tensor

from pmind.errors import TrainingError
from pmind.training.batches import TrainingBatch


def stop_unless_finite(
    loss: float,
    gradient_norm: float,
    step: int,
    batches: Sequence[TrainingBatch],
    losses: Sequence[Tensor],
    folder: Path,
    accelerator: Accelerator,
) -> None:
    """End the run on every process when a step's loss or gradient is not finite.

    Args:
        loss: of the step, the same on every process.
        gradient_norm: of the step, the same on every process, too.
        step: from 0.
        batches: this process's own.
        losses: of each of them.
        folder: of the checkpoints; the batches that are to blame are saved beside it.
        accelerator: waits for processes that are still writing.

    Raises:
        TrainingError: names the step and the file.
    """
    if math.isfinite(loss) and math.isfinite(gradient_norm):
        return
    to_blame = [batch for batch, part in zip(batches, losses, strict=True) if not part.isfinite()] or batches
    name = f"{folder.name}-step-{step + 1}-rank-{accelerator.process_index}.safetensors"
    path = folder.parent / name
    path.parent.mkdir(parents=True, exist_ok=True)  # there may be no checkpoint yet
    save_file(_tensors(to_blame), path)
    accelerator.wait_for_everyone()
    raise TrainingError(
        f"step {step + 1}: the loss is {loss} and its gradient's norm {gradient_norm}; what it was fed is in {path}. "
        "Lower learning_rate or matrix_learning_rate, or raise warmup_steps, and run the stage again"
    )


def _tensors(batches: Sequence[TrainingBatch]) -> dict[str, Tensor]:
    return {
        f"part_{number}.{field.name}": getattr(batch, field.name).cpu().contiguous()
        for number, batch in enumerate(batches, start=1)
        for field in fields(batch)
    }
