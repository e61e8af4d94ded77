"""One training run, from params to a trained model."""

from transformers import PreTrainedModel

from pmind.models.settings import Settings
from pmind.params import OptimizerParams
from pmind.training.checkpoints import Checkpoints
from pmind.training.loop import train
from pmind.training.objective import Objective
from pmind.training.optimizer import build_optimizers
from pmind.training.progress import Progress
from pmind.visibility import VISIBILITIES


def run_training(
    model: PreTrainedModel, settings: Settings, objective: Objective, params: OptimizerParams, checkpoints: Checkpoints
) -> Progress:
    """Train a wired model in place under the params' schedule, resuming where a killed run stopped."""
    optimizers = build_optimizers(
        model,
        learning_rate=params.learning_rate,
        matrix_learning_rate=params.matrix_learning_rate,
        weight_decay=params.weight_decay,
    )
    progress = train(
        model,
        objective,
        VISIBILITIES[settings.visibility],
        optimizers,
        checkpoints,
        steps=params.steps,
        warmup_steps=params.warmup_steps,
        gradient_clip=params.gradient_clip,
    )
    model.eval()
    return progress
