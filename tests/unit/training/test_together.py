"""Two processes, as torchrun starts them: they train what one trains, and go on where they were killed."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pmind.training.checkpoints import WEIGHTS
from pmind.training.loss import summed_loss
from pmind.visibility import columnar
from tests.tiny import wired_model
from tests.unit.training.resumable import COLLATE, EVERY, SETTINGS, STEPS, random_sample, run
from tests.unit.training.together import TIED, uneven_objective

pytestmark = pytest.mark.slow  # two processes import torch, and so does what starts them
ROOT = Path(__file__).parents[3]
LIMIT = 240  # seconds until two processes that wait for each other are given up


def torchrun(deed: str, folder: Path) -> subprocess.CompletedProcess:
    """Two processes of the program beside this test."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*launcher, "-m", "tests.unit.training.together", deed, str(folder)],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=LIMIT, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the processes left: killed once, then run on."""
    folder = tmp_path_factory.mktemp("together")
    killed = torchrun("die", folder)
    assert "Signal 9 (SIGKILL)" in killed.stderr, killed.stderr[-2000:]
    assert [path.name for path in (folder / "killed").iterdir()] == [f"step-{EVERY:08d}"]
    resumed = torchrun("resume", folder)
    assert resumed.returncode == 0, resumed.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def reports(folder):
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(2)]


def test_a_killed_run_of_two_processes_ends_with_the_same_weights(folder, reports):
    killed, whole = (load_file(folder / f"{name}.safetensors") for name in ("killed", "whole"))
    assert all(torch.equal(killed[name], whole[name]) for name in whole)
    assert reports[0]["runs"]["killed"] == reports[0]["runs"]["whole"]
    assert len(reports[0]["runs"]["whole"]["losses"]) == STEPS


def test_both_processes_report_the_same(reports):
    assert reports[0]["runs"] == reports[1]["runs"]
    assert reports[0]["sharded"] == reports[1]["sharded"]


def test_the_curves_of_a_killed_run_hold_every_step_once(folder):
    plots = [folder / name / "logs" / "plots" / "metrics" / "loss.tsv" for name in ("killed", "whole")]
    killed, whole = (plot.read_bytes() for plot in plots)
    assert killed == whole
    assert len(whole.splitlines()) == 1 + STEPS


def test_two_processes_equal_one_loss_for_loss(reports, tmp_path):
    objective = uneven_objective()
    parts = [len(objective(step).parts) for step in range(STEPS)]
    assert {1, 2, 3} <= set(parts)  # fewer parts than processes, as many, and an odd one
    _, alone = run(tmp_path, objective, dropout=0.0)
    assert reports[0]["runs"]["even"] == pytest.approx(alone.losses, rel=1e-3)  # Muon computes in bfloat16
    assert reports[0]["runs"]["whole"]["labels"] == alone.label_tokens


def test_another_number_of_processes_goes_on_too(folder, tmp_path, caplog):
    """From two processes' last checkpoint one process has nothing left to do, and the same weights."""
    model, progress = run(folder / "whole", uneven_objective())
    assert "1 processes go on where 2 stopped" in caplog.text
    assert all(
        torch.equal(model.state_dict()[name], value) for name, value in load_file(folder / "whole.safetensors").items()
    )
    assert progress.step == STEPS


def test_a_loss_that_is_no_number_stops_both(folder, reports):
    for rank, report in enumerate(reports):
        path = folder / f"stopped-step-1-rank-{rank}.safetensors"
        assert report["stopped"].startswith("step 1: the loss is nan")
        assert str(path) in report["stopped"]
        assert path.exists()


def test_shards_equal_one_process_and_resume_exactly(folder, reports, tmp_path):
    sharded, halves = (load_file(folder / f"{name}.safetensors") for name in ("sharded", "halves"))
    assert all(torch.equal(sharded[name], halves[name]) for name in sharded)
    assert reports[0]["sharded"]["sharded"] == reports[0]["sharded"]["halves"]
    _, alone = run(tmp_path, uneven_objective(), model=wired_model(TIED, SETTINGS))
    assert reports[0]["sharded"]["sharded"] == pytest.approx(alone.losses, rel=1e-3)


def test_a_sharded_model_is_whole_again_after_training(folder, reports):
    model = wired_model(TIED, SETTINGS)
    before = summed_loss(model, COLLATE([random_sample(random.Random(1))]), columnar, "dense").item()
    trained = load_file(folder / "sharded.safetensors")
    saved = load_file(folder / "sharded" / f"step-{STEPS:08d}" / WEIGHTS)
    assert all(torch.equal(trained[name], saved[name]) for name in saved)
    model.load_state_dict(trained)
    after = summed_loss(model, COLLATE([random_sample(random.Random(1))]), columnar, "dense").item()
    assert reports[0]["sharded"]["after"] == pytest.approx(after, rel=1e-6)
    assert abs(after - before) > 1
