"""A short training run that a test can kill: python -m tests.unit.training.resumable FOLDER STEP."""

import os
import random
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pmind.models.settings import Settings
from pmind.params import OptimizerParams, TrainingParams
from pmind.training.batches import Collator, Sample
from pmind.training.checkpoints import Checkpoints
from pmind.training.objective import Objective, make_objective
from pmind.training.progress import Progress
from pmind.training.run import run_training
from tests.tiny import VOCAB, wired_model

STEPS, EVERY = 8, 3
SETTINGS = Settings(rope_2d_ratio=0.25, branch_stride=16, alignment="right", visibility="columnar")
COLLATE = Collator("right", 0, 0)
RATES = OptimizerParams(
    adapter="none",
    steps=STEPS,
    batch_size=2,
    learning_rate=1e-3,
    matrix_learning_rate=1e-2,
    weight_decay=0.01,
    warmup_steps=2,
    gradient_clip=1.0,
    checkpoint_every=EVERY,
)
TRAINING = TrainingParams(
    optimizer="muon",
    schedule="linear",
    decay_share=0.2,
    final_share=0.1,
    dtype="float32",
    part_tokens=4096,
    padding="bucket",
    attention="dense",
    gradient_checkpointing=False,
)


def random_sample(rng: random.Random, length: int = 6) -> Sample:
    """Three branches of random tokens beside a random context."""
    context, *answers = ([rng.randrange(1, VOCAB) for _ in range(length)] for _ in range(4))
    return Sample(context, [()] * 3, answers, [True] * 3)


def draw_two(rng: random.Random, step: int) -> Sequence[Sample]:
    """All samples of a step."""
    return [random_sample(rng) for _ in range(2)]


def random_objective(draw=draw_two, part_tokens: int = 4096, padding: str = "bucket") -> Objective:
    """Random samples."""
    params = replace(TRAINING, part_tokens=part_tokens, padding=padding)
    return make_objective(draw, COLLATE, params, name="test", seed=1)


def run(
    folder: Path,
    objective: Objective,
    fingerprint: str = "same",
    steps: int = STEPS,
    dropout: float = 0.1,  # which needs the random state restored
    model=None,
    gradient_clip: float = 1.0,
    training: TrainingParams = TRAINING,
    **options: object,
):
    """Train the random model; returns it with its progress."""
    model = model or wired_model("llama", SETTINGS, attention_dropout=dropout)
    rates = replace(RATES, steps=steps, gradient_clip=gradient_clip)
    checkpoints = Checkpoints(folder, fingerprint, EVERY)
    progress: Progress = run_training(model, SETTINGS, objective, rates, training, checkpoints, **options)
    return model, progress


def dying_objective(step_to_die: int, objective: Objective) -> Objective:
    """The same parts, but the process is killed when those of a step are asked for."""

    def parts(step: int):
        if step == step_to_die:
            os.kill(os.getpid(), signal.SIGKILL)
        return objective(step)

    return parts


if __name__ == "__main__":
    import tests.conftest  # noqa: F401  same threads as in the tests

    run(Path(sys.argv[1]), dying_objective(int(sys.argv[2]), random_objective()))
