"""What two processes do in the tests: torchrun -m tests.unit.training.together die|resume FOLDER."""

import json
import os
import random
import sys
from pathlib import Path

import pytest
import torch
from accelerate import PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin
from safetensors.torch import save_file

from pmind.errors import TrainingError
from pmind.training.distributed import join_training
from pmind.training.loss import summed_loss
from pmind.training.objective import Objective
from pmind.visibility import columnar
from tests.tiny import wired_model
from tests.unit.training.resumable import COLLATE, SETTINGS, dying_objective, random_objective, random_sample, run

DYING_STEP = 5
TIED = "qwen2_tied"
PART_TOKENS = 24  # one sample of the shortest kind


def uneven_objective() -> Objective:
    """Steps of one to three samples, each a part: one or two for each of two processes."""

    def draw(rng, step):
        return [random_sample(rng, rng.choice((6, 7))) for _ in range(rng.randint(1, 3))]

    return random_objective(draw, PART_TOKENS)


def two_runs(folder: Path) -> dict[str, object]:
    """Run on from the killed run's checkpoint, and again from the start."""
    state = join_training()
    report = {}
    for name in ("killed", "whole"):
        model, progress = run(folder / name, uneven_objective(), curves=folder / name / "logs")
        report[name] = {"losses": progress.losses, "norms": progress.gradient_norms, "labels": progress.label_tokens}
        if state.is_main_process:
            save_file(model.state_dict(), folder / f"{name}.safetensors")
    report["even"] = run(folder / "even", uneven_objective(), dropout=0.0)[1].losses
    return report


def stopped_run(folder: Path) -> str:
    """What each process says when one of them meets a loss that is no number."""

    def loss(model, batch):
        return summed_loss(model, batch, columnar, "dense") * (
            float("nan") if PartialState().process_index == 1 else 1.0
        )

    try:
        run(folder / "stopped", uneven_objective(), loss=loss)
    except TrainingError as error:
        return str(error)
    return "nothing"


def sharded_runs(folder: Path) -> dict[str, object]:
    """FSDP, which accelerate offers on GPUs alone, with gloo: a run to its end, and one that is interrupted."""
    PartialState._shared_state["distributed_type"] = DistributedType.FSDP
    plugin = FullyShardedDataParallelPlugin(fsdp_version=2, auto_wrap_policy="transformer_based_wrap")
    AcceleratorState._shared_state["fsdp_plugin"] = plugin
    with pytest.raises(KeyboardInterrupt):
        run(folder / "halves", uneven_objective(), model=wired_model(TIED, SETTINGS), before_step=interrupt)
    report = {}
    for name in ("halves", "sharded"):
        model, progress = run(folder / name, uneven_objective(), model=wired_model(TIED, SETTINGS))
        report[name] = progress.losses
        if PartialState().is_main_process:
            save_file({key: value.clone() for key, value in model.state_dict().items()}, folder / f"{name}.safetensors")
    batch = COLLATE([random_sample(random.Random(1))])
    with torch.no_grad():  # a plain model again
        report["after"] = summed_loss(model, batch, columnar, "dense").item()
    return report


def interrupt(step: int) -> None:
    """Stop as Ctrl-C would, on every process."""
    if step == DYING_STEP:
        raise KeyboardInterrupt


def main(deed: str, folder: Path) -> None:
    """Die at a step, or run on and write what happened to FOLDER/rank-N.json."""
    if deed == "die":
        run(folder / "killed", dying_objective(DYING_STEP, uneven_objective()))
    report = {"runs": two_runs(folder), "stopped": stopped_run(folder), "sharded": sharded_runs(folder)}
    path = folder / f"rank-{os.environ['RANK']}.json"
    path.write_text(json.dumps(report), encoding="utf-8")


if __name__ == "__main__":
    import tests.conftest  # noqa: F401  same threads as in the tests

    main(sys.argv[1], Path(sys.argv[2]))
