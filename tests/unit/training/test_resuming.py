import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from pmind.training.checkpoints import UNFINISHED, WEIGHTS, Checkpoints, fingerprint_of, folder_digest
from tests.tiny import wired_model
from tests.unit.training.resumable import EVERY, SETTINGS, STEPS, random_objective, run

ROOT = Path(__file__).parents[3]


def weights(model) -> dict[str, torch.Tensor]:
    return model.state_dict()


def assert_identical(first, second) -> None:
    assert all(torch.equal(weights(first)[name], weights(second)[name]) for name in weights(first))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return run(tmp_path_factory.mktemp("uninterrupted"), random_objective())


def test_a_killed_run_ends_with_the_same_weights(tmp_path, uninterrupted, caplog):
    command = [sys.executable, "-m", "tests.unit.training.resumable", str(tmp_path), "5"]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000003"]
    asked = []
    resumed, progress = run(tmp_path, lambda step: asked.append(step) or random_objective()(step))
    assert asked == [3, 4, 5, 6, 7]
    assert "resuming from" in caplog.text
    assert_identical(resumed, uninterrupted[0])
    assert progress.losses == uninterrupted[1].losses
    assert progress.label_tokens == uninterrupted[1].label_tokens


def test_equal_runs_give_equal_weights(tmp_path, uninterrupted):
    assert_identical(run(tmp_path, random_objective())[0], uninterrupted[0])


def test_training_moves_the_weights(uninterrupted, tmp_path):
    shorter, _ = run(tmp_path, random_objective(), steps=1)
    moved = [not torch.equal(weights(shorter)[name], weights(uninterrupted[0])[name]) for name in weights(shorter)]
    assert all(moved)


def test_another_runs_checkpoint_is_replaced_in_one_line(tmp_path, uninterrupted, caplog):
    run(tmp_path, random_objective(), "of other params", steps=EVERY)
    asked = []
    run(tmp_path, lambda step: asked.append(step) or random_objective()(step))
    assert asked == list(range(STEPS))
    assert [record.message for record in caplog.records if record.name.startswith("pmind")] == [
        f"{tmp_path / 'step-00000003'} is of another run (other params, data or versions): starting anew"
    ]


def test_a_half_written_checkpoint_is_ignored(tmp_path):
    run(tmp_path, random_objective(), steps=EVERY)
    half = tmp_path / UNFINISHED
    half.mkdir()
    (half / "training.pt").write_bytes(b"torn")
    assert run(tmp_path, random_objective())[1].step == STEPS
    assert [path.name for path in tmp_path.iterdir()] == [f"step-{STEPS:08d}"]


def test_remove_leaves_nothing(tmp_path):
    folder = tmp_path / "checkpoints"
    run(folder, random_objective(), steps=1)
    Checkpoints(folder, "same", EVERY).remove()
    assert not folder.exists()


def test_an_adapters_checkpoint_holds_the_adapter_alone(tmp_path):
    def adapted():
        torch.manual_seed(3)
        return get_peft_model(wired_model("llama", SETTINGS), LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))

    whole, progress = run(tmp_path / "whole", random_objective(), model=adapted())
    run(tmp_path / "parted", random_objective(), model=adapted(), steps=EVERY)  # another schedule, but kept
    saved = load_file(tmp_path / "parted" / f"step-{EVERY:08d}" / WEIGHTS)
    assert saved
    assert all("lora_" in name for name in saved)
    again, resumed = run(tmp_path / "whole", random_objective(), model=adapted())  # nothing left to do
    assert resumed.losses == progress.losses
    assert_identical(again, whole)


def test_fingerprints_tell_settings_and_files_apart(tmp_path):
    assert fingerprint_of(a=1, b="x") == fingerprint_of(b="x", a=1)
    assert fingerprint_of(a=1) != fingerprint_of(a=2)
    (tmp_path / "data").write_text("one")
    before = folder_digest(tmp_path)
    assert folder_digest(tmp_path) == before
    (tmp_path / "data").write_text("two")
    assert folder_digest(tmp_path) != before
