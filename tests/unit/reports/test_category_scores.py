"""Settings and methods against kinds of question."""

import json

from pmind.reports.category_scores import category_figure, category_scores, category_table
from pmind.reports.metrics import read_metrics
from pmind.reports.sweeps import read_sweeps
from pmind.reports.training_sections import training_sections
from tests.unit.reports.conftest import sweep

CELLS = [
    ("head", {"crossbatch.train": "baseline"}, 0.0, False),
    ("module", {"crossbatch.train": "crossbatch"}, 0.0, False),
]
SCORES = {"head": 0.5, "module": 0.9}


def exchange(folder, methods=("parallel", "sequential")):
    content = sweep("exchange", CELLS)
    for row in content["rows"]:
        for method in methods:
            hinted = SCORES[row["label"]] if method == "parallel" else 0.5
            row["metrics"] |= {f"squad.{method}.em": hinted, f"squad.{method}.hinted.em": hinted + row["seed"] / 100}
            row["metrics"] |= {f"squad.{method}.independent.em": 1.0}
    (folder / "ablations").mkdir(parents=True)
    (folder / "ablations" / "exchange.json").write_text(json.dumps(content), encoding="utf-8")
    return read_sweeps(folder)[0]


def test_a_row_is_a_setting_and_a_method(tmp_path):
    table = category_table(category_scores(exchange(tmp_path)))
    titles = tuple(f"{kind}: exact match, %" for kind in ("all", "hinted", "independent"))
    assert table.header == ("Setting", "Method", *titles, "Seeds")
    assert [row[:2] for row in table.rows] == [
        (f"`{label}`", f"`{method}`") for label in SCORES for method in ("parallel", "sequential")
    ]
    assert table.rows[2] == ("`module`", "`parallel`", "90.0", "92.0 ± 2.5", "100.0", "3")


def test_names_tell_what_varies(tmp_path):
    assert category_scores(exchange(tmp_path / "two")).named("head", "parallel") == "head, parallel"
    assert category_scores(exchange(tmp_path / "one", ("parallel",))).named("head", "parallel") == "head"


def test_the_figure_has_a_panel_a_category(tmp_path):
    svg = category_figure(category_scores(exchange(tmp_path))).svg
    assert "hinted: exact match" in svg
    assert "independent: exact match" in svg
    assert svg.count("module, sequential") == 2


def test_the_report_shows_categories_in_place_of_losses(metrics_folder):
    exchange(metrics_folder / "other")
    source = metrics_folder / "other" / "ablations" / "exchange.json"
    source.rename(metrics_folder / "ablations" / "exchange.json")
    sections = {section.title: section for section in training_sections(read_metrics(metrics_folder))}
    (table,) = sections["Ablation: About exchange"].tables
    assert "hinted: exact match, %" in table.header


def test_sweeps_without_categories_have_none(metrics_folder):
    assert category_scores(read_metrics(metrics_folder).sweep("ratio")) is None
