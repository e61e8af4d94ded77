import json
from dataclasses import replace

import pytest

from pmind.reports.document import build_document
from pmind.reports.evaluation_notes import conditions, left_out, machine, rows_behind
from pmind.reports.evaluation_tables import compact_reading, fitting, is_reading, reading, scores
from pmind.reports.metrics import Metrics, read_metrics
from tests.unit.reports.conftest import CELLS, evaluation


@pytest.fixture
def run_of(metrics_folder):
    """Reads one run; CHANGES replaces its content before."""

    def read(dataset, **changes):
        path = metrics_folder / "evaluations" / f"{dataset}.json"
        if changes:
            path.write_text(json.dumps(evaluation(dataset, **changes)))
        return next(run for run in read_metrics(metrics_folder).evaluations if run.file.endswith(f"/{dataset}.json"))

    return read


def cells_of(table):
    return {row[:2]: dict(zip(table.header, row, strict=True)) for row in table.rows}


def test_reading_comprehension_has_speed_scores_and_paired_differences(run_of):
    table = reading(run_of("squad"))
    assert table.header == (
        *("Method", "Questions at once", "Questions/s", "× sequential", "Same answers, %"),
        *("F1, % (n 48)", "F1 − sequential", "Exact match, % (n 48)", "Exact match − sequential"),
        *("Lenient match, % (n 48)", "Lenient match − sequential"),
    )
    cells = cells_of(table)
    assert list(cells) == [("parallel", "4"), ("parallel", "8"), ("sequential", "1"), ("batch", "4"), ("batch", "8")]
    assert cells["parallel", "8"]["× sequential"] == "6.00 ×"
    assert cells["parallel", "8"]["F1, % (n 48)"] == "60.0 (50.0–70.0)"
    assert cells["parallel", "8"]["F1 − sequential"] == "−2.0 (−5.0…+1.0), p 0.123"
    assert table.rows[2][2:6] == ("24.0", "1.00 ×", "", "60.0 (50.0–70.0)")
    assert cells["sequential", "1"]["F1 − sequential"] == ""
    assert table.gap == ""


def test_every_score_of_other_runs_is_shown(run_of):
    run = run_of("race")
    assert not is_reading(run)
    table = scores(run)
    assert table.header[:6] == ("Method", "Branches", "Questions/s", "Tokens/s", "× sequential", "Same answers, %")
    assert "Accuracy, % (n 48)" in table.header
    assert table.header[-1] == "F1 − sequential"
    assert cells_of(table)["batch", "4"]["Tokens/s"] == "192"


def test_without_sequential_nothing_is_compared(run_of):
    table = scores(run_of("race", measures={}, cells={("parallel", 8): 1.0}))
    assert table.header == ("Method", "Branches", "Questions/s", "Tokens/s", "× sequential", "Same answers, %")
    run = run_of("race", measures={"accuracy": 0.5}, cells={("sequential", 1): 1.0})
    assert "Accuracy − sequential" not in scores(run).header


def test_what_a_row_cannot_tell_is_empty_and_n_has_a_range(run_of, metrics_folder):
    path = metrics_folder / "evaluations" / "race.json"
    content = evaluation("race", {"judge_fluency": 3.0, "accuracy": 0.5})
    content["rows"][1] |= {"judge_fluency_n": 40, "corpus_bleu4": 0.25}
    for key in [key for key in content["rows"][2] if key.startswith(("accuracy", "speedup"))]:
        del content["rows"][2][key]
    path.write_text(json.dumps(content))
    table = scores(run_of("race"))
    cells = cells_of(table)
    assert cells["parallel", "4"]["Judge: fluency, 1–5 (n 40–48)"] == "3.00 (2.90–3.10)"
    assert cells["parallel", "8"]["Accuracy, % (n 48)"] == cells["parallel", "8"]["Accuracy − sequential"] == ""
    assert cells["parallel", "8"]["× sequential"] == ""
    assert [row[-1] for row in table.rows] == ["25.0", "", "", "", ""]
    assert table.header[-1] == "BLEU-4 of the corpus, %"


def test_every_table_can_be_traced_to_its_rows(run_of, metrics_folder):
    for table, name in ((reading(run_of("squad")), "squad"), (scores(run_of("race")), "race")):
        behind = table.notes[-1]
        assert behind.startswith(f"Rows behind it: `metrics/evaluations/{name}.json`; answers, sha256: ")
        assert f"`{name}/tiny/parallel-8.parquet` (86.0aaaaaaaa)" in behind
        assert behind.count(".parquet") == len(CELLS)
        assert behind.index("parallel-4") < behind.index("sequential-1")  # as the rows above
    untold = replace(run_of("race"), answers={("parallel", 8): ("parallel-8.parquet", "")})
    assert "`race/tiny/parallel-8.parquet` (not recorded)" in rows_behind(untold)
    assert "its answers are not recorded" in rows_behind(replace(untold, answers={}))


def test_what_was_left_out_or_cut_is_said(run_of):
    run = run_of("squad")
    assert left_out(run) == "Left out: 1,329 long contexts. Truncated: 2 contexts."
    assert left_out(run) in reading(run).notes
    assert left_out(replace(run, groups={"dropped_small_groups": 0})) == "Nothing was left out or truncated."
    assert left_out(replace(run, groups={"groups": 3})) == "What was left out is not recorded."


def test_conditions_name_machine_questions_and_prompts(run_of):
    run = run_of("squad")
    assert conditions(run) == (
        "Conditions: `tiny` (260,032 parameters), float32, cpu, 2 threads; 48 questions in 12 groups of 11 documents "
        "of squad from `squad.json`; the dataset's prompts; at most 8 questions a group, 300 tokens of context, "
        "32 tokens of an answer; visibility isolated; times are medians of 3 runs; "
        "95\N{NO-BREAK SPACE}% intervals clustered by document."
    )
    bare = conditions(replace(run, conditions={}, rows={}))
    assert bare.startswith("Conditions: `tiny`; — questions in — groups")
    assert (
        machine({"dtype": "bfloat16", "device": "cuda", "threads": 2, "processes": 2}) == "bfloat16, cuda, 2 processes"
    )


def test_the_compact_table_has_few_branches_and_rows(run_of, metrics_folder):
    many = {("sequential", 1): 1.0} | {("parallel", count): count for count in (1, 2, 4, 8, 16)}
    run = run_of("squad", measures={"em": 0.5, "f1": 0.6}, cells=many)
    others = [replace(run, dataset=f"other{number}") for number in range(5)]
    table = compact_reading([*others, run, *read_metrics(metrics_folder).evaluations[:2]])
    assert table.rows[0][:6] == ("`squad`", "`tiny`", "parallel", "4", "96.0", "4.00 ×")
    assert [row[2:4] for row in table.rows[:3]] == [("parallel", "4"), ("parallel", "8"), ("sequential", "1")]
    assert len(table.rows) == 3
    assert len(table.notes) == 2
    assert table.notes[-1] == "The report has 5 more runs."
    two = compact_reading(
        [run_of("squad", measures={"em": 0.5, "f1": 0.6}, cells={("parallel", 2): 1, ("parallel", 1): 1})]
    )
    assert [row[3] for row in two.rows] == ["2"]


def test_one_block_is_shown_however_long_it_is():
    assert fitting([[("a",)] * 20, [("b",)]]) == ((("a",),) * 20, 1)
    assert fitting([]) == ((), 0)


def test_each_run_stands_in_its_section(metrics_folder):
    metrics = read_metrics(metrics_folder)
    sections = {section.title: section for section in build_document(metrics, {}, "").sections}
    (squad,) = sections["Datasets: reading comprehension"].tables
    assert "`squad` by `tiny`" in squad.caption
    captions = [table.caption for table in sections["Datasets: every score"].tables]
    assert [caption.split()[0] for caption in captions] == ["`mmlu`", "`race`"]
    assert len(sections["Datasets: methods by branches"].tables) == 1
    empty = {section.title: section for section in build_document(Metrics({}), {}, "").sections}
    assert "run `pmind evaluate squad" in empty["Datasets: reading comprehension"].tables[0].gap
    assert "Datasets: every score" not in empty
