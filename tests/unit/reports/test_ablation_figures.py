import json
import re
from xml.etree import ElementTree

import pytest

from pmind.reports.ablation_figures import STRONGEST, grid, scores_figure, sweep_figure, sweep_lines
from pmind.reports.drawing import DARK, LIGHT, STAND_INS, canvas, difference_axis, draw, numbered_look, panel
from pmind.reports.metrics import read_metrics
from pmind.reports.sweeps import read_sweeps
from tests.unit.reports.conftest import RATIO, SINGLE, scored, sweep
from tests.unit.reports.test_figures import contrast

MANY = [(f"setting {number}", {"x": number}, number / 100, False) for number in range(13)]


def texts(drawing):
    return {"".join(found.itertext()).strip() for found in ElementTree.fromstring(drawing).iter() if _is_text(found)}


def only(tmp_path, content):
    (tmp_path / "ablations").mkdir(parents=True)
    (tmp_path / "ablations" / "a.json").write_text(json.dumps(content))
    return read_sweeps(tmp_path)[0]


@pytest.mark.parametrize("name", ["ratio", "grid"])
def test_a_figure_is_the_same_every_time_and_uses_the_page_s_colours(metrics_folder, name):
    found = read_metrics(metrics_folder).sweep(name)
    drawing = sweep_figure(found).svg
    assert drawing == sweep_figure(found).svg
    assert "var(--series-1" in drawing
    assert not [colour for colour in STAND_INS if colour in drawing]
    assert not re.search(r"(?<!, )#(?!000000|ffffff)[0-9a-f]{6}\b", drawing)


def test_taxes_are_lines_and_baselines_are_not(metrics_folder):
    found = read_metrics(metrics_folder).sweep("ratio")
    shown = texts(sweep_figure(found).svg)
    assert {"parallel tax, nats per token", "0.25", "0.5", "16"} <= shown
    assert "single branch" not in shown
    assert sweep_lines(found)["0.25"][4].value == pytest.approx(-0.09)
    assert sweep_figure(found).caption.startswith("About ratio: parallel tax by number of branches")


def test_without_a_baseline_losses_are_drawn_with_their_bands(tmp_path):
    found = only(tmp_path, sweep("ratio", RATIO))
    assert "loss, nats per token" in texts(sweep_figure(found).svg)
    assert sweep_figure(found).svg.count("opacity: 0.14") >= 3


def test_single_branches_are_a_line_among_training_branches(tmp_path):
    cells = [SINGLE, ("2", {"pretrain.max_branches": 2}, 0.01, False)]
    assert list(sweep_lines(only(tmp_path, sweep("branches", cells)))) == ["single branch", "2"]


def test_a_grid_has_a_cell_a_setting(metrics_folder):
    found = read_metrics(metrics_folder).sweep("grid")
    values = grid(found).values
    assert len(values) == 8
    assert grid(found).strength(min(values.values())) == 1
    assert grid(found).strength(max(values.values())) == 0
    shown = texts(sweep_figure(found).svg)
    assert {"low, replace", "high, replace", "rope_2d_ratio", "branch_stride", "0.25", "16", "0.012"} <= shown
    assert "strongest colour" in sweep_figure(found).caption


def test_too_many_lines_become_points(tmp_path):
    found = only(tmp_path, sweep("many", [*MANY, SINGLE]))
    assert {"setting 0", "setting 12", "parallel tax, nats per token, at 16 branches"} <= texts(sweep_figure(found).svg)
    assert "16 branches, with 95 % intervals" in sweep_figure(found).caption


def test_scores_have_a_figure_of_their_own(metrics_folder, tmp_path):
    metrics = read_metrics(metrics_folder)
    expected = {"squad: exact match, %", "parallel", "sequential", "0.25", "single branch"}
    assert expected <= texts(scores_figure(metrics.sweep("ratio")).svg)
    assert scores_figure(metrics.sweep("grid")) is None
    ranks = [(f"rank {rank}", {"lora.rank": rank}, 0.1, False) for rank in (4, 8)]
    assert sweep_figure(only(tmp_path / "rank", scored(sweep("rank", ranks)))) is None  # their losses are the same


def test_a_few_large_differences_do_not_press_the_others_flat():
    small, large = {1: 0.01, 2: 0.02, 4: 0.03}, {1: 0.02, 2: 0.5, 4: 2.0}
    figure = canvas(3)
    wide, narrow = (panel(figure, "", (1, 2, place)) for place in (1, 2))
    for axes, lines in ((wide, (small, large)), (narrow, (small,))):
        for number, line in enumerate(lines):
            draw(axes, "", line, numbered_look(number))
        difference_axis(axes, [value for line in lines for value in line.values()])
    assert (wide.get_yscale(), narrow.get_yscale()) == ("symlog", "linear")
    low, high = narrow.get_ylim()
    assert low < 0
    assert high - low >= 0.05


@pytest.mark.parametrize(("paper", "palette"), [("#ffffff", LIGHT), ("#14181e", DARK)])
def test_numbers_stand_out_from_the_strongest_cell(paper, palette):
    ink, _, series, *_ = palette
    channels = zip(*([int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in (paper, series)), strict=True)
    cell = "#" + "".join(f"{round(under + (over - under) * STRONGEST):02x}" for under, over in channels)
    assert contrast(ink, cell) >= 4


def _is_text(element):
    return element.tag.endswith("}text")
