"""Sweeps and presets name parameters that exist, and cells that can be told apart."""

from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from pmind.ablations.jobs import overridden
from pmind.ablations.presets import ANSWERING, PRESETS
from pmind.ablations.sweeps import SWEEPS, find_sweep
from pmind.errors import ParamsError
from pmind.methods.catalog import find_method
from pmind.params import (
    SECTIONS,
    AblationPreset,
    AblationsParams,
    GeometryParams,
    PretrainParams,
    RunParams,
    build_params,
)
from pmind.training.texts import TextSteps

PARAMS = yaml.safe_load((Path(__file__).resolve().parents[3] / "params.yaml").read_text(encoding="utf-8"))


ONE_BRANCH = {"pretrain.min_branches": 1, "pretrain.max_branches": 1}


def check(document):
    """Every section as strictly as a stage loads it."""
    for section, kind in SECTIONS.items():
        build_params(document[section], kind, section)
    TextSteps(None, None, 0, build_params(document["pretrain"], PretrainParams, "pretrain"), 1)  # refuses vain packing
    for kind in (GeometryParams, RunParams):
        build_params({field.name: document[field.name] for field in fields(kind)}, kind, "top level")


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", SWEEPS)
def test_every_cell_is_a_valid_params_file(name, preset):
    sweep = SWEEPS[name]
    sized = overridden(PARAMS, {**PRESETS[preset], **(ANSWERING[preset] if sweep.answers else {})})
    sized = overridden(sized, sweep.size)
    for cell in sweep.cells:
        for setting in ({}, cell.before, cell.first or {}):
            check(overridden(sized, {**cell.setting, **setting}))


@pytest.mark.parametrize("name", SWEEPS)
def test_every_method_exists(name):
    for method in SWEEPS[name].methods:
        find_method(method)


@pytest.mark.parametrize("name", SWEEPS)
def test_labels_of_a_sweep_differ(name):
    labels = [cell.label for cell in SWEEPS[name].cells]
    assert len(labels) == len(set(labels))
    assert len(labels) > 1 or len(SWEEPS[name].methods) > 1


@pytest.mark.parametrize("name", SWEEPS)
def test_a_twin_differs_in_its_branches_alone(name):
    cells = {cell.label: cell for cell in SWEEPS[name].cells}
    for cell in cells.values():
        if cell.against:
            assert cells[cell.against].baseline
            assert dict(cells[cell.against].setting) == {**cell.setting, **ONE_BRANCH}


@pytest.mark.parametrize("name", [name for name, sweep in SWEEPS.items() if not sweep.answers])
def test_every_sweep_of_pretraining_can_tell_the_tax(name):
    assert any(cell.baseline for cell in SWEEPS[name].cells)


def test_the_params_know_every_preset():
    assert set(AblationPreset.__args__) == set(PRESETS) == set(ANSWERING)


def test_no_sweep_runs_unless_asked():
    assert build_params(PARAMS["ablations"], AblationsParams, "ablations").sweeps == ()


def test_an_unknown_sweep_names_those_there_are():
    with pytest.raises(ParamsError, match=r"no sweep 'ratios'.*ratio, placement"):
        find_sweep("ratios")
