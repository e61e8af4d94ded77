import json
import shutil

import pytest

from pmind.reports.benchmark_tables import benchmarks
from pmind.reports.metrics import read_metrics
from tests.unit.reports.conftest import evaluation

FEW = {("sequential", 1): 1.0, ("parallel", 8): 6.0}


@pytest.fixture
def runs_of(metrics_folder):
    """Replaces all runs by those given, by the names of their files."""
    shutil.rmtree(metrics_folder / "evaluations")

    def write(**runs):
        for name, content in runs.items():
            path = metrics_folder / "evaluations" / f"{name}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(content))
        return read_metrics(metrics_folder).evaluations

    return write


def test_models_methods_and_branches_by_datasets(runs_of):
    (table,) = benchmarks(
        runs_of(
            b=evaluation("mmlu", {"accuracy": 0.25, "em": 0.9}, cells=FEW),
            a=evaluation("gsm8k-zero-shot", {"accuracy": 0.5}, cells={("batch", 4): 2.0, ("sequential", 1): 1.0}),
            c=evaluation("ceval-medical", {"accuracy": 0.125}, model="other", cells={("parallel", 8): 3.0}),
            d=evaluation("race", {"accuracy": 0.3}),
        )
    )
    assert table.header == (
        *("Model", "Method", "Branches", "MMLU: tokens/s", "MMLU: accuracy, %"),
        *("C-Eval medical: tokens/s", "C-Eval medical: accuracy, %"),
        *("GSM8K zero-shot: tokens/s", "GSM8K zero-shot: accuracy, %"),
    )
    assert table.rows == (
        ("`tiny`", "parallel", "8", "576", "25.0 (15.0–35.0)", "", "", "", ""),
        ("`tiny`", "sequential", "1", "96.0", "25.0 (15.0–35.0)", "", "", "96.0", "50.0 (40.0–60.0)"),
        ("`tiny`", "batch", "4", "", "", "", "", "192", "50.0 (40.0–60.0)"),
        ("`other`", "parallel", "8", "", "", "288", "12.5 (2.5–22.5)", "", ""),
    )
    assert table.gap == ""
    assert table.caption.endswith("(float32, cpu, 2 threads, 95\N{NO-BREAK SPACE}% intervals)")


def test_notes_tell_each_column_s_conditions_rows_and_what_was_not_run(runs_of):
    groups = {"dropped_small_groups": 3}
    (table,) = benchmarks(runs_of(b=evaluation("mmlu", {"accuracy": 0.25}, groups=groups, cells=FEW)))
    mmlu, missing = table.notes
    assert mmlu.startswith("MMLU by `tiny`: Conditions: ")
    assert "48 questions in 12 groups" in mmlu
    assert "the dataset's prompts" in mmlu
    assert "Left out: 3 small groups." in mmlu
    assert "`mmlu/tiny/parallel-8.parquet` (86.0aaaaaaaa)" in mmlu
    assert missing.startswith("Not run here: C-Eval, GSM8K, HumanEval. To have one, run `pmind evaluate ceval")


def test_programs_that_were_not_run_leave_a_gap(runs_of):
    (table,) = benchmarks(runs_of(h=evaluation("humaneval", {}, cells=FEW)))
    assert table.header[-1] == "HumanEval: pass@1, %"
    assert table.rows[0][-2:] == ("576", "—")
    assert "--run-code" in table.gap
    (table,) = benchmarks(runs_of(h=evaluation("humaneval", {"pass_at_1": 0.5}, cells=FEW)))
    assert table.rows[0][-1] == "50.0 (40.0–60.0)"


def test_speeds_of_other_machines_stand_in_another_table(runs_of):
    first, second = benchmarks(
        runs_of(
            a=evaluation("mmlu", {"accuracy": 0.25}),
            b=evaluation("mmlu", {"accuracy": 0.25}, dtype="bfloat16", device="cuda"),
        )
    )
    assert "(float32, cpu, 2 threads" in first.caption
    assert "(bfloat16, cuda, 95" in second.caption


def test_runs_that_would_share_a_cell_are_told_apart(runs_of):
    (table,) = benchmarks(
        runs_of(
            a=evaluation("mmlu", {"accuracy": 0.25}, cells=FEW),
            b=evaluation("mmlu", {"accuracy": 0.75}, cells=FEW),
            c=evaluation("mmlu", {"accuracy": 0.5}, cells=FEW, visibility="columnar"),
        )
    )
    assert table.header[3::2] == ("MMLU: tokens/s", "MMLU (b.json): tokens/s")
    assert [row[0] for row in table.rows] == ["`tiny (visibility isolated)`"] * 2 + ["`tiny (visibility columnar)`"] * 2
    assert table.rows[0][4::2] == ("25.0 (15.0–35.0)", "75.0 (65.0–85.0)")
    assert table.rows[2][4::2] == ("50.0 (40.0–60.0)", "")


def test_without_runs_the_report_says_how_to_make_one():
    (table,) = benchmarks(())
    assert "run `pmind evaluate mmlu --model … --keep metrics/evaluations/NAME.json`" in table.gap
