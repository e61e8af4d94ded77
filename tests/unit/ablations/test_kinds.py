"""What a job's digest depends on is what the pipeline's stages depend on."""

from pathlib import Path

import pytest
import yaml

import pmind
from pmind.ablations.kinds import KINDS, code_digest

ROOT = Path(__file__).resolve().parents[3]
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
BESIDE = {"lora", "threads"}  # named where an adapter is trained; given by the sweep


@pytest.mark.parametrize("name", KINDS)
def test_parameters_are_those_of_the_stages(name):
    named = {key.replace("${item.dataset}", "squad") for stage in KINDS[name].stages for key in STAGES[stage]["params"]}
    scored = {"evaluate"} if name == "answers" else set()  # intervals, by the job itself
    assert set(KINDS[name].reads) - BESIDE == named - BESIDE | scored


@pytest.mark.parametrize("name", KINDS)
def test_code_is_there_and_its_change_is_noticed(name, tmp_path, monkeypatch):
    package = Path(pmind.__file__).parent
    assert all((package / part).exists() for part in KINDS[name].code)
    for part in (*KINDS[name].code, *(f"../stages/{stage}.py" for stage in KINDS[name].stages)):
        copy = tmp_path / "pmind" / part if not part.startswith("..") else tmp_path / part[3:]
        copy.parent.mkdir(parents=True, exist_ok=True)
        source = copy if copy.suffix == ".py" else copy / "a.py"
        source.parent.mkdir(exist_ok=True)
        source.write_text("before")
    monkeypatch.setattr(pmind, "__file__", str(tmp_path / "pmind" / "__init__.py"))
    before = code_digest(KINDS[name])
    assert before == code_digest(KINDS[name])
    source.write_text("after")
    assert before != code_digest(KINDS[name])
