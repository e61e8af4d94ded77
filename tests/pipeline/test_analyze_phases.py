"""The stage on made-up sweeps, read back by the report."""

import json
from pathlib import Path

import pytest

from pmind.errors import DataError
from pmind.reports.phase_sections import phase_section
from pmind.reports.phases import read_phases
from stages import analyze_phases
from tests.unit.reports.conftest import GRID, RATIO, SINGLE, sweep

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"


@pytest.fixture
def metrics(tmp_path):
    (tmp_path / "ablations").mkdir()
    return tmp_path


def keep(metrics, content, **conditions):
    content["conditions"] |= {"branch_tokens": 8} | conditions
    (metrics / "ablations" / f"{content['sweep']}.json").write_text(json.dumps(content))


def test_a_sweep_of_the_branch_s_signal_is_compared_and_reported(metrics):
    keep(metrics, sweep("grid", [*GRID, SINGLE]))
    keep(metrics, sweep("longer", [*GRID, ("x", {"pretrain.steps": 9}, 0.1, False), SINGLE]))  # more than phases vary
    keep(metrics, sweep("ratio", [*RATIO, SINGLE]))  # three settings are no ranking
    analyze_phases.main(metrics, metrics / "phases.json", params=PARAMS)
    told = read_phases(metrics)
    assert told.sweeps() == ["grid"]
    assert (told.conditions["head_size"], told.conditions["columns"], told.conditions["branches"]) == (32, 8, 16)
    assert len(told.settings) == 8
    first = told.settings[0]
    assert (first["label"], first["seeds"]) == ("0.25 low replace 1", 3)
    assert first["tax"] == pytest.approx(-0.1)  # 16 branches at a slope of 0 against one at 0.1
    assert [row["branches"] for row in told.by_branches] == [1, 2, 4, 8, 16]
    assert len(phase_section(told)[0].tables) == 4


def test_without_such_a_sweep_the_stage_says_how_to_have_one(metrics):
    with pytest.raises(DataError, match=r"no sweep of the branch's signal alone.*make ablations"):
        analyze_phases.main(metrics, metrics / "phases.json", params=PARAMS)


def test_sweeps_of_different_models_are_not_mixed(metrics):
    keep(metrics, sweep("grid", [*GRID, SINGLE]))
    keep(metrics, sweep("other", [*GRID, SINGLE]), model="small")
    with pytest.raises(DataError, match="several models"):
        analyze_phases.main(metrics, metrics / "phases.json", params=PARAMS)
