import json
import re

import pytest

from pmind.errors import DataError
from pmind.reports import phase_tables
from pmind.reports.drawing import STAND_INS
from pmind.reports.formats import MISSING, PERCENT
from pmind.reports.phase_figures import kernel_figure, prediction_figure
from pmind.reports.phase_sections import phase_section
from pmind.reports.phases import Phases, read_phases
from tests.unit.reports.test_ablation_figures import texts


def setting(label, ratio, placement, encoding, crowding, tax):
    measures = {"mean_branch_kernel": 0.75, "worst_branch_kernel": 0.9, "worst_branch_step": 3, "neighbour_turn": 1.25}
    measures |= {"alias_kernel": 0.999, "alias_branches": 1, "alias_columns": -16, "collisions": 2}
    measures |= {"next_column_kernel": 0.96, "column_sharpness": 0.5, "column_alias_kernel": 0.96}
    measures |= {"turning_share": 0.75, "context_share": 0.75}
    scores = {"crowding": crowding, "columns_lost": 0.25, "branches_crowded": crowding - 0.25}
    row = {"sweep": "grid", "label": label, "ratio": ratio, "placement": placement, "encoding": encoding, "stride": 16}
    told = {"pairs": "3, 7", "measures": measures, "scores": scores, "tax": tax}
    return row | told | {"tax_least": tax - 0.01, "tax_most": tax + 0.02, "seeds": 3}


def correlation(score, rho):
    row = {"sweep": "grid", "score": score, "settings": 25, "seeds": 3, "repeatability": 0.96, "rho": rho}
    return row | {"low": rho - 0.2, "high": rho + 0.05, "seeds_low": rho - 0.02, "seeds_high": rho + 0.01}


def wide(ratio, encoding, crowding, default=False):
    row = {"head_size": 32, "theta": 10000.0, "compared": 295, "label": "some", "ratio": ratio, "placement": "low"}
    row |= {"encoding": encoding, "stride": 1024, "crowding": crowding, "columns_lost": 0.007, "rank": 5}
    return row | {"branches_crowded": crowding - 0.007, "default": default}


CONTENT = {
    "conditions": {"head_size": 32, "theta": 10000.0, "branches": 16, "columns": 64, "sharpness": 20.5},
    "settings": [
        setting("0.25 high offset 16", 0.25, "high", "offset", 1.5, 0.11),
        setting("0.5 low replace 16", 0.5, "low", "replace", 0.5, 0.05),
        setting("0", 0.0, "interleaved", "replace", 2.75, 0.38),
    ],
    "correlations": [correlation("crowding", 0.91), correlation("next_column_kernel", -0.1)],
    "by_branches": [{"branches": 4} | correlation("", 0.94), {"branches": 16} | correlation("", 0.91)],
    "kernels": [
        {"role": "default", "label": "0.25", "first_column": -1, "kernel": [[0.5, 1.0, 0.5], [0.1, -0.2, 0.1]]},
        {"role": "least crowded", "label": "0.5", "first_column": -1, "kernel": [[0.5, 1.0, 0.5], [0.0, 0.0, 0.0]]},
        {"role": "most columns lost", "label": "1", "first_column": -1, "kernel": [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]},
    ],
    "wider": [
        wide(0.0, "replace", 2.75),
        wide(0.5, "replace", 0.003),
        wide(0.5, "offset", 0.002),
        wide(0.75, "offset", 0.001),
        wide(0.25, "replace", 1.2, default=True),
    ],
}


@pytest.fixture
def phases(tmp_path):
    (tmp_path / "phases.json").write_text(json.dumps(CONTENT))
    return read_phases(tmp_path)


def test_settings_come_with_their_measures_the_least_tax_first(phases):
    table = phase_tables.measured(phases, "grid")
    assert [row[0] for row in table.rows] == ["`0.5 low replace 16`", "`0.25 high offset 16`", "`0`"]
    assert dict(zip(table.header, table.rows[1], strict=True)) == {
        "Setting": "`0.25 high offset 16`",
        "Separation": "0.250",
        "Branches most alike": "0.900 (3 b)",
        "Turn, rad": "1.25",
        "Next column": f"50.0{PERCENT}",
        "Places most alike": "0.999 (1 b −16 c)",
        "Collisions": "2",
        "Columns lost": "0.25",
        "Siblings": "1.25",
        "Crowding": "1.50",
        "Tax at 16": "+0.1100 (+0.1000…+0.1300)",
    }
    assert table.notes[-1] == "Head size 32, theta 10000, branches 16, columns 64, sharpness 20.5."


def test_scores_are_in_words_with_both_intervals(phases):
    table = phase_tables.correlations(phases, "grid")
    assert table.rows == (
        ("crowding: columns lost and siblings", "+0.91", "+0.71…+0.96", "+0.89…+0.92"),
        ("kernel of the next column", "−0.10", "−0.30…−0.05", "−0.12…−0.09"),
    )
    assert "25 settings, 3 seeds" in table.notes[0]
    assert "ρ = +0.96" in table.notes[1]


def test_every_score_of_the_analysis_has_words():
    torch = pytest.importorskip("torch")
    from pmind.analysis.phases import Geometry
    from pmind.analysis.prediction import scores

    assert scores(Geometry(0.5), torch.tensor([1.0, 0.1]), 2, 4).keys() == phase_tables.SCORES.keys()


def test_a_row_a_number_of_branches(phases):
    assert phase_tables.by_branches(phases).rows == (("4", "+0.94 (+0.74…+0.99)"), ("16", "+0.91 (+0.71…+0.96)"))


def test_a_row_a_head_and_ratio_with_both_encodings_then_the_default(phases):
    head = "32 dimensions, θ 10000"
    assert phase_tables.wider(phases).rows == (
        (head, "0.5", "low, stride 1024", "0.003", "0.007", "low, stride 1024", "0.002", "50.0"),
        (head, "0.75", "", "", "", "low, stride 1024", "0.001", "25.0"),
        (head, "0.25 (default)", "low, stride 1024", "1.200", "0.007", "", "", "75.0"),
    )


def test_figures_are_the_same_every_time_and_use_the_page_s_colours(phases):
    for draw in (kernel_figure, lambda found: prediction_figure(found, "grid")):
        svg = draw(phases).svg
        assert svg == draw(phases).svg
        assert not [colour for colour in STAND_INS if colour in svg]
        assert not re.search(r"(?<!, )#(?!000000|ffffff)[0-9a-f]{6}\b", svg)


def test_a_panel_a_kernel_and_a_name_a_kind_of_setting(phases):
    drawing = kernel_figure(phases).svg
    assert drawing.count("data:image/png") == 3
    assert {"default", "least crowded", "most columns lost", "columns away", "branches away"} <= texts(drawing)
    assert {"high, offset", "low, replace", "no pair"} <= texts(prediction_figure(phases, "grid").svg)


def test_the_section_has_all_of_it_and_nothing_is_missing(phases):
    (section,) = phase_section(phases)
    assert [figure.name for figure in section.figures] == ["phase_kernels", "phase_prediction_grid"]
    assert len(section.tables) == 4
    assert not any(MISSING in cell for table in section.tables for row in table.rows for cell in row)


def test_without_the_file_there_is_no_section(tmp_path):
    assert read_phases(tmp_path) is None
    assert phase_section(None) == []


def test_without_measurements_there_are_kernels_and_the_wider_grid():
    (section,) = phase_section(Phases(CONTENT["conditions"], (), (), (), tuple(CONTENT["kernels"]), ()))
    assert [figure.name for figure in section.figures] == ["phase_kernels"]


@pytest.mark.parametrize(("content", "said"), [("{", "not valid JSON"), ("{}", "no analysis of phases")])
def test_a_file_of_another_kind_says_what_writes_it(tmp_path, content, said):
    (tmp_path / "phases.json").write_text(content)
    with pytest.raises(DataError, match=rf"phases.json.*{said}.*dvc repro analyze_phases"):
        read_phases(tmp_path)
