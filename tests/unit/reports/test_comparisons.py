"""Every method on several datasets, as pmind compare keeps it."""

import json

import pytest

from pmind.errors import DataError
from pmind.reports.comparisons import read_comparisons
from pmind.reports.document import build_document
from pmind.reports.evaluation_tables import by_kind, comparison
from pmind.reports.metrics import read_metrics
from pmind.reports.render import readme_tables
from pmind.reports.tables import sources


def compared(dataset, method, em, seconds):
    row = {"model": "tiny", "dataset": dataset, "method": method, "branches": 8, "groups": 4, "questions": 20}
    row |= {"documents": 4, "seconds": seconds, "prompt_tokens": 400, "tokens": 80, "rounds": 2, "no_room": 0}
    row |= {"missing": 0, "em": em, "em_low": em - 0.1, "em_high": em + 0.1, "em_n": 20}
    easy = {}
    if method != "sequential":
        row |= {"em_minus_sequential": 0.2, "em_minus_sequential_low": 0.1, "em_minus_sequential_high": 0.3}
        easy = {"em_minus_sequential": 0.5, "em_minus_sequential_low": 0.4, "em_minus_sequential_high": 0.6}
    kinds = {"easy": {"em": 1.0, "em_low": 0.9, "em_high": 1.0} | easy, "hard": {"em": 0.25}}
    return row | ({"categories": kinds} if dataset == "squad" else {})


CONTENT = {
    "rows": [
        compared(dataset, method, em, seconds)
        for dataset in ("squad", "race")
        for method, em, seconds in (("sequential", 0.5, 8.0), ("multi_turn", 0.7, 4.0))
    ],
    "groups": {"squad": {"groups": 4, "dropped_long_contexts": 3}, "race": {"groups": 4}},
    "skipped": {"squad": {"collab_bert": "it reads the questions\nwith an encoder"}, "race": {}},
    "conditions": {"model": "tiny", "confidence": 0.95, "device": "cpu", "cpu": "some CPU", "threads": 1},
}


@pytest.fixture
def kept(metrics_folder):
    (metrics_folder / "comparisons").mkdir()
    (metrics_folder / "comparisons" / "all.json").write_text(json.dumps(CONTENT), encoding="utf-8")
    return metrics_folder


def test_each_dataset_is_a_table_of_costs_and_scores(kept):
    squad, race = read_comparisons(kept)
    assert (squad.dataset, race.dataset) == ("squad", "race")
    table = comparison(squad)
    costs = ("s/group", "Tokens read", "Tokens written", "Rounds")
    assert table.header[:6] == ("Method", "Questions at once", *costs)
    rows = {row[0]: row for row in table.rows}
    assert rows["multi_turn"][2:6] == ("1.00 s", "100", "20", "2")
    assert rows["multi_turn"][6:] == ("70.0 (60.0–80.0)", "+20.0 (+10.0…+30.0)")
    assert rows["sequential"][7] == ""
    assert table.notes[-1] == "Left out: `collab_bert`: it reads the questions with an encoder."
    assert "3 long contexts" in table.notes[1]


def test_kinds_of_questions_have_scores_and_differences(kept):
    squad, race = read_comparisons(kept)
    (table,) = by_kind(squad)
    titles = ("easy: Exact match, %", "− sequential", "hard: Exact match, %", "− sequential")
    assert table.header == ("Method", *titles)
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["multi_turn"] == ("100.0 (90.0–100.0)", "+50.0 (+40.0…+60.0)", "25.0", "")
    assert rows["sequential"] == ("100.0 (90.0–100.0)", "", "25.0", "")
    assert by_kind(race) == ()


def test_the_readme_shows_kinds_of_which_one_surely_differs(kept):
    assert "easy: Exact match, %" in readme_tables(read_metrics(kept), {})
    path = kept / "comparisons" / "all.json"
    path.write_text(path.read_text().replace('_low": 0.4', '_low": -0.4'), encoding="utf-8")
    assert "easy: Exact match, %" not in readme_tables(read_metrics(kept), {})


def test_the_report_has_them_and_names_their_file_once(kept):
    metrics = read_metrics(kept)
    (section,) = [s for s in build_document(metrics, {}, "Report").sections if s.title == "Methods side by side"]
    assert len(section.tables) == 3  # squad has kinds of questions
    assert [row[0] for row in sources(metrics).rows].count("`metrics/comparisons/all.json`") == 1


def test_without_any_there_is_no_section(metrics_folder):
    titles = [section.title for section in build_document(read_metrics(metrics_folder), {}, "Report").sections]
    assert "Methods side by side" not in titles


def test_another_file_is_refused_with_the_command_that_writes_one(kept):
    (kept / "comparisons" / "all.json").write_text('{"rows": []}', encoding="utf-8")
    with pytest.raises(DataError, match="pmind compare"):
        read_comparisons(kept)
