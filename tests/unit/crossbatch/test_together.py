"""Two processes train a module, as torchrun starts them: python -m torch.distributed.run … test_together FOLDER."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pmind.training.distributed import join_training
from tests.unit.crossbatch.test_training import learn, student_of

ROOT = Path(__file__).parents[3]
LIMIT = 240  # seconds until two processes that wait for each other are given up
STEPS = 6


def train_in(folder: Path) -> list[float]:
    return learn(student_of("lora_crossbatch", combine="gate"), STEPS, folder / "checkpoints").losses


@pytest.mark.slow  # two processes import torch, and so does what starts them
def test_two_processes_train_what_one_trains(tmp_path):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    result = subprocess.run(
        [*launcher, "-m", "tests.unit.crossbatch.test_together", str(tmp_path / "two")],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    losses = [json.loads((tmp_path / "two" / f"rank-{rank}.json").read_text()) for rank in range(2)]
    assert losses[0] == losses[1]
    assert losses[0] == pytest.approx(train_in(tmp_path / "one"), rel=1e-3)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(exist_ok=True)
    (target / f"rank-{join_training().process_index}.json").write_text(json.dumps(train_in(target)))
