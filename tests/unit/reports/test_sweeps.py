import json
import math

import pytest

from pmind.errors import DataError
from pmind.reports.kept_files import flat_conditions
from pmind.reports.sweeps import half_width, read_sweeps
from tests.unit.reports.conftest import RATIO, SINGLE, sweep, trial


@pytest.fixture
def read(tmp_path):
    """Reads a sweep back from a metrics folder."""

    def write_and_read(content):
        path = tmp_path / "ablations" / "some.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
        (found,) = read_sweeps(tmp_path)
        return found

    return write_and_read


def rows(*trials):
    return {"sweep": "some", "conditions": {}, "rows": list(trials)}


def test_a_sweep_is_read_with_its_labels_in_order(read):
    found = read(sweep("ratio", [*RATIO, SINGLE]))
    assert (found.name, found.title, found.preset, found.file) == ("ratio", "About ratio", "cpu", "ablations/some.json")
    assert found.labels() == ["0.0", "0.25", "0.5", "single branch"]
    assert found.labels(baselines=False) == ["0.0", "0.25", "0.5"]
    assert found.branches() == [1, 2, 4, 8, 16]
    assert found.conditions["steps"] == 200


def test_a_tax_is_paired_by_seed(read):
    found = read(
        rows(
            *(trial("a", {}, seed, 0.0, **{"loss.branches_16": loss}) for seed, loss in ((1, 2.0), (2, 3.1), (3, 4.2))),
            *(trial("single branch", {}, seed, 0.0, True, **{"loss.branches_1": seed}) for seed in (1, 2, 3)),
        )
    )
    tax = found.tax("a", 16)
    assert tax.value == pytest.approx(1.1)
    assert half_width(tax) == pytest.approx(4.302653 * 0.1 / math.sqrt(3), rel=1e-6)  # Student's t of two degrees
    assert found.headline("a") == tax
    assert half_width(found.loss("a", 16)) == pytest.approx(4.302653 * 1.1 / math.sqrt(3), rel=1e-6)


def test_seeds_without_a_baseline_do_not_count(read):
    found = read(rows(trial("a", {}, 1, 0.1), trial("a", {}, 2, 0.1), trial("single branch", {}, 2, 0.3, True)))
    assert found.tax("a", 4).n == 1
    assert found.tax("a", 4).value == pytest.approx(1.1 + 0.4 - (1.1 + 0.3))
    assert half_width(found.tax("a", 4)) is None
    assert found.loss("a", 4).n == 2


def test_of_several_baselines_each_trial_has_its_own(read):
    small, large = {"base_model": "tiny"}, {"base_model": "large", "steps": [1, 2]}
    found = read(
        rows(
            trial("small", small, 1, 0.0) | {"against": "small, one"},
            trial("large", large, 1, 0.0) | {"against": "large, one"},
            trial("small, one", small | {"pretrain.max_branches": 1}, 1, 0.0, True, **{"loss.branches_1": 0.5}),
            trial("large, one", large | {"pretrain.max_branches": 1}, 1, 0.0, True, **{"loss.branches_1": 0.75}),
        )
    )
    assert (found.tax("small", 4).value, found.tax("large", 4).value) == pytest.approx((0.5, 0.25))


def test_what_is_not_finite_was_not_measured(read):
    found = read(rows(trial("a", {}, 1, 0.1, **{"loss.branches_4": math.nan}), trial("a", {}, 2, 0.1)))
    assert found.loss("a", 4).n == 1
    assert found.tax("a", 4) is None
    assert found.loss("a", 32) is None
    assert found.headline_branches() == 16


def test_models_tuned_from_one_model_share_its_losses(read):
    shared = [trial(label, {}, seed, 0.1) for label in "ab" for seed in (1, 2)]
    assert not read(rows(*shared)).has_own_losses()
    assert read(rows(*shared, trial("c", {}, 1, 0.2))).has_own_losses()
    assert read(rows(trial("a", {}, 1, 0.1))).has_own_losses()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"some\.json:1: not valid JSON.*make ablations"),
        ("{}", "no rows and conditions of a sweep"),
        (json.dumps(rows({"label": "a"})), "no rows and conditions of a sweep"),
        (json.dumps(rows(trial("a", {}, 1, 0), trial("a", {}, 1, 1))), "two rows of one label with the same seed"),
    ],
)
def test_a_broken_sweep_is_named(tmp_path, content, message):
    (tmp_path / "ablations").mkdir()
    (tmp_path / "ablations" / "some.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_sweeps(tmp_path)


def test_conditions_are_flat():
    nested = {"versions": {"torch": "2"}, "ratios": [0.5, 1], "empty": "", "none": None, "text": "two\nlines"}
    assert flat_conditions(nested) == {"versions torch": "2", "ratios": "0.5, 1", "text": "two lines"}
