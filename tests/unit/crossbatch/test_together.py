"""Two processes train a module, as torchrun starts them: python -m torch.distributed.run … test_together FOLDER."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate import PartialState
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

from pmind.crossbatch.hook import attached
from pmind.training.distributed import join_training
from tests.unit.crossbatch.test_hook import hooks
from tests.unit.crossbatch.test_training import learn, student_of

ROOT = Path(__file__).parents[3]
LIMIT = 400  # seconds until two processes that wait for each other are given up
STEPS = 6


def train_in(folder: Path) -> dict[str, object]:
    """Losses, and what is left of the module and its hook."""
    network = student_of("lora_crossbatch", combine="gate")
    losses = learn(network, STEPS, folder).losses
    return {"losses": losses, "output": attached(network).inform.output.weight.sum().item(), "hooks": hooks(network)}


def train_sharded(folder: Path) -> dict[str, object]:
    """The same with FSDP, which accelerate offers on GPUs alone, by gloo."""
    PartialState._shared_state["distributed_type"] = DistributedType.FSDP
    plugin = FullyShardedDataParallelPlugin(fsdp_version=2, auto_wrap_policy="transformer_based_wrap")
    AcceleratorState._shared_state["fsdp_plugin"] = plugin
    return train_in(folder)


@pytest.mark.slow  # two processes import torch, and so does what starts them
def test_two_processes_train_what_one_trains(tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    result = subprocess.run(
        [*launcher, "-m", "tests.unit.crossbatch.test_together", str(tmp_path)],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    reports = [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in range(2)]
    assert reports[0] == reports[1]
    alone = train_in(tmp_path / "alone")
    for report in reports[0].values():
        assert report["losses"] == pytest.approx(alone["losses"], rel=1e-3)
        assert report["output"] == pytest.approx(alone["output"], rel=1e-2)
        assert report["hooks"] == 0


if __name__ == "__main__":
    import tests.conftest  # noqa: F401  same threads as in the tests

    target, rank = Path(sys.argv[1]), join_training().process_index
    report = {"ddp": train_in(target / "ddp"), "fsdp": train_sharded(target / "fsdp")}
    (target / f"rank-{rank}.json").write_text(json.dumps(report))
