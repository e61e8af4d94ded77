import json

import pytest

from pmind.analysis.phases import Geometry
from pmind.analysis.prediction import Measured, analyse_phases, scores
from pmind.analysis.wider import PLACEMENTS, STRIDES, Head, wider_grid
from pmind.errors import DataError

DEFAULT = Geometry(0.25)
TINY = Head(32, 1e4)
SETTINGS = [Geometry(0.0), DEFAULT, Geometry(0.5, "low", stride=1024), Geometry(0.5, "high"), Geometry(0.5, "low")]


@pytest.fixture(scope="module")
def told():
    """The analysis of taxes that are half of the crowding, with some noise of the seeds, the second sweep too short."""
    crowded = [scores(one, TINY.inv_freq, 4, 16)["crowding"] / 2 for one in SETTINGS]
    grid = [
        Measured("grid", one, {4: (tax, tax + 0.001, tax - 0.001), 8: (1 - tax,) * 3})
        for one, tax in zip(SETTINGS, crowded, strict=True)
    ]
    short = [Measured("stride", one, {4: (0.1, 0.2)}) for one in SETTINGS[:3]]
    return analyse_phases([*grid, *short], DEFAULT, TINY, branches=4, columns=16, heads=(TINY,))


def test_it_is_json_in_rows(told):
    assert json.loads(json.dumps(told)) == told
    assert {name: len(rows) for name, rows in told.items() if name != "conditions"} == {
        "settings": 8,
        "correlations": len(told["settings"][0]["scores"]),
        "by_branches": 2,
        "kernels": 4,
        "wider": len(told["wider"]),
    }
    assert (told["conditions"]["branches"], told["conditions"]["head_size"]) == (4, 32)


def test_the_score_that_made_the_taxes_ranks_them_and_the_best_come_first(told):
    found = {row["score"]: row["rho"] for row in told["correlations"]}
    assert found["crowding"] == 1
    assert found["columns_lost"] < 1
    assert list(found.values()) == sorted(found.values(), reverse=True)
    assert [row["rho"] for row in told["by_branches"]] == [1, -1]
    assert {row["sweep"] for row in told["correlations"]} == {"grid"}  # three settings are no ranking


def test_a_row_has_the_setting_its_measures_and_its_taxes(told):
    row = told["settings"][1]
    assert (row["label"], row["pairs"], row["seeds"]) == (DEFAULT.label, "3, 7, 11, 15", 3)
    assert row["tax_least"] < row["tax"] < row["tax_most"]
    assert row["scores"]["crowding"] == pytest.approx(row["scores"]["columns_lost"] + row["scores"]["branches_crowded"])


def test_kernels_are_of_the_default_the_best_and_the_two_failures(told):
    shown = {row["role"]: row["label"] for row in told["kernels"]}
    assert shown == {
        "default": DEFAULT.label,
        "least crowded": "0.5 low replace 1024",
        "most crowded by siblings": "0.5 low replace 16",
        "most columns lost": "0.5 high replace 16",
    }
    row = told["kernels"][0]
    assert (row["first_column"], len(row["kernel"]), len(row["kernel"][0])) == (-15, 4, 31)
    assert row["kernel"][0][15] == 1.0


def test_a_wider_grid_keeps_the_least_crowded_of_every_ratio_and_encoding():
    rows = wider_grid(TINY, DEFAULT, 4, 16)
    assert [row["ratio"] for row in rows[:5]] == [0.0, 0.125, 0.125, 0.25, 0.25]
    assert {row["encoding"] for row in rows} == {"replace", "offset"}
    own = rows[-1]
    assert (own["default"], own["label"]) == (True, DEFAULT.label)
    quarter = next(row for row in rows if row["ratio"] == 0.25 and row["encoding"] == "replace")
    assert quarter["crowding"] < own["crowding"] and quarter["rank"] < own["rank"] <= own["compared"]


def test_of_settings_as_good_the_shortest_stride_is_kept():
    row = next(row for row in wider_grid(TINY, DEFAULT, 4, 16) if row["ratio"] == 0.5 and row["encoding"] == "offset")
    kind = [Geometry(0.5, place, "offset", stride) for place in PLACEMENTS for stride in STRIDES]
    crowded = {one: scores(one, TINY.inv_freq, 4, 16)["crowding"] for one in kind}
    as_good = [one.stride for one in kind if crowded[one] <= min(crowded.values()) + 0.01]
    assert row["stride"] == min(as_good) < max(as_good)
    assert row["crowding"] <= min(crowded.values()) + 0.01


def test_a_head_without_a_pair_for_a_ratio_leaves_it_out():
    assert 0.125 not in {row["ratio"] for row in wider_grid(Head(4, 1e4), Geometry(0.5), 2, 4)}


def test_a_default_of_explicit_pairs_is_compared_too():
    own = wider_grid(TINY, Geometry(0.25, indices=(1, 2)), 2, 4)[-1]
    assert (own["default"], own["label"]) == (True, "pairs 1,2 replace 16")


def test_a_sweep_without_the_tax_asked_for_is_named():
    with pytest.raises(DataError, match="sweep 'grid', 0: no tax at 4 branches, only at 2"):
        analyse_phases([Measured("grid", Geometry(0.0), {2: (0.1,)})], DEFAULT, TINY, branches=4, columns=4, heads=())


def test_without_measurements_phases_are_told_all_the_same():
    told = analyse_phases([], DEFAULT, TINY, branches=4, columns=4, heads=())
    assert (told["settings"], told["correlations"], told["wider"]) == ([], [], [])
    assert {row["label"] for row in told["kernels"]} == {DEFAULT.label}
