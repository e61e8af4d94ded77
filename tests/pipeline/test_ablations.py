"""One cell through the real stages, twice: trained the first time, read the second."""

import json
from pathlib import Path

import pytest
import yaml

from pmind.ablations import sweeps
from pmind.ablations.sweeps import Cell, Sweep
from stages import ablate

SETTING = {"rope_2d_ratio": 0.5, "crossbatch.train": "baseline"}  # a head, after a fine-tuning of all weights
FIRST = {"crossbatch.train": "none"}
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def params(tmp_path, monkeypatch):
    """A params file for the smallest sweep there is."""
    cell = Cell("half", SETTING, first=FIRST)
    monkeypatch.setitem(sweeps.SWEEPS, "tiny", Sweep("One cell", (cell,), ("parallel", "sequential")))
    monkeypatch.chdir(ROOT)  # where stages/ is
    document = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    document["ablations"] |= {"preset": "smoke", "seeds": 1, "jobs": 1, "threads": 1}
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def test_a_cell_is_trained_once_and_measured(params, tmp_path):
    out, work = tmp_path / "tiny.json", tmp_path / "work"
    ablate.main("tiny", out, params=params, work=work)
    found = json.loads(out.read_text(encoding="utf-8"))
    (row,) = found["rows"]
    told = SETTING | {f"first.{key}": value for key, value in FIRST.items()}
    assert (row["label"], row["setting"], row["seed"], row["baseline"]) == ("half", told, 1, False)
    assert {"loss.branches_1", "loss.branches_16", "squad.parallel.em", "squad.sequential.em"} <= row["metrics"].keys()
    assert found["conditions"]["steps"] == row["metrics"]["pretrain.steps"] == 2

    trained = {path: path.stat().st_mtime_ns for path in work.rglob("done.json")}
    assert len(trained) == 5
    ablate.main("tiny", tmp_path / "again.json", params=params, work=work)
    assert {path: path.stat().st_mtime_ns for path in work.rglob("done.json")} == trained
    assert (tmp_path / "again.json").read_bytes() == out.read_bytes()
