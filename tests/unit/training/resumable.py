"""A short training run that a test can kill: python -m tests.unit.training.resumable FOLDER STEP."""

import os
import random
import signal
import sys
from pathlib import Path

from pmind.models.settings import Settings
from pmind.training.batches import Collator, Sample
from pmind.training.checkpoints import Checkpoints
from pmind.training.loop import train
from pmind.training.objective import Objective, make_objective
from pmind.training.optimizer import build_optimizers
from pmind.training.progress import Progress
from pmind.visibility import columnar
from tests.tiny import VOCAB, wired_model

STEPS, EVERY = 8, 3
SETTINGS = Settings(rope_2d_ratio=0.25, branch_stride=16, alignment="right", visibility="columnar")


def random_sample(rng: random.Random) -> Sample:
    """Three branches of random tokens beside a random context."""
    context, *answers = ([rng.randrange(1, VOCAB) for _ in range(6)] for _ in range(4))
    return Sample(context, [()] * 3, answers, [True] * 3)


def random_objective() -> Objective:
    """Batches of two random samples."""
    return make_objective(random_sample, Collator("right", 0, 0), name="test", seed=1, batch_size=2)


def run(folder: Path, objective: Objective, fingerprint: str = "same", steps: int = STEPS):
    """Train the random model; returns it with its progress."""
    model = wired_model("llama", SETTINGS, attention_dropout=0.1)  # dropout needs the random state restored
    optimizers = build_optimizers(model, learning_rate=1e-3, matrix_learning_rate=1e-2, weight_decay=0.01)
    checkpoints = Checkpoints(folder, fingerprint, EVERY)
    progress: Progress = train(
        model, objective, columnar, optimizers, checkpoints, steps=steps, warmup_steps=2, gradient_clip=1.0
    )
    return model, progress


def dying_objective(step_to_die: int) -> Objective:
    """The same batches, but the process is killed when those of a step are asked for."""
    objective = random_objective()

    def batches(step: int):
        if step == step_to_die:
            os.kill(os.getpid(), signal.SIGKILL)
        return objective(step)

    return batches


if __name__ == "__main__":
    import tests.conftest  # noqa: F401  same threads as in the tests

    run(Path(sys.argv[1]), dying_objective(int(sys.argv[2])))
