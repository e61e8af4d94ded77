import pytest

from pmind.evaluation.table import measures_of, print_evaluation

SPEED = {"questions_per_s": 12.345, "tokens_per_s": 1234.5}
SEQUENTIAL = {
    "method": "sequential", "branches": 1, "groups": 3, "questions": 20, "documents": 2, **SPEED,
    "em": 0.5, "em_low": 0.25, "em_high": 0.75, "em_n": 20,
}  # fmt: skip
PARALLEL = SEQUENTIAL | {
    "method": "parallel", "branches": 8, "speedup": 3.21, "same_answers": 0.95, "em_minus_sequential": -0.05,
    "em_minus_sequential_low": -0.1, "em_minus_sequential_high": 0.0, "em_minus_sequential_p": 0.031,
    "judge_fluency": 4.5, "judge_fluency_low": 4.0, "judge_fluency_high": 5.0, "judge_fluency_n": 7,
}  # fmt: skip
CONDITIONS = {"dataset": "race", "model": "tiny", "dtype": "float32", "device": "cpu", "threads": 2, "confidence": 0.95}
GROUPS = {"groups": 3, "dropped_small_groups": 0, "dropped_long_contexts": 4, "dropped_unanswered_questions": 1}


@pytest.fixture
def printed(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    print_evaluation({"rows": [SEQUENTIAL, PARALLEL], "conditions": CONDITIONS, "groups": GROUPS})
    return capsys.readouterr().out


def lines(printed, head):
    """Cells of the line that begins with HEAD, and of the line below it."""
    below = printed.splitlines()
    start = next(number for number, text in enumerate(below) if text.strip().startswith(head))
    return below[start].split(head, 1)[1].split(), below[start + 1].split()


def test_a_column_is_a_cell(printed):
    assert lines(printed, "sequential 1")[0] == ["parallel", "8"]
    assert lines(printed, "Questions/s")[0] == ["12.3", "12.3"]
    assert lines(printed, "Tokens/s")[0] == ["1,234", "1,234"]
    assert lines(printed, "Speed-up")[0] == ["–", "3.21"]
    assert lines(printed, "Same, %")[0] == ["–", "95"]


def test_scores_are_percent_and_grades_are_grades(printed):
    assert lines(printed, "em, %") == (["50.0", "50.0"], ["25.0–75.0", "25.0–75.0"])
    assert lines(printed, "judge fluency") == (["–", "4.5"], ["4.0–5.0"])


def test_a_difference_stands_below_its_score(printed):
    assert lines(printed, "difference") == (["-5.0"], ["p", "–", "0.031"])
    assert printed.count("  difference") == 1  # the judge graded one method only


def test_three_cells_fit_into_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    batch = PARALLEL | {"method": "sequential_cached", "accuracy_generated_n": 20, "accuracy_generated": 1.0}
    print_evaluation({"rows": [SEQUENTIAL, batch, PARALLEL], "conditions": CONDITIONS, "groups": GROUPS})
    assert "…" not in capsys.readouterr().out


def test_sizes_conditions_and_what_was_left_out(printed):
    assert "race, tiny: 20 questions in 3 groups of 2 documents; float32, cpu, 2 threads; intervals 95%" in printed
    assert "dropped long contexts: 4, dropped unanswered questions: 1" in printed
    assert "small groups" not in printed


def test_measures_are_those_of_any_row():
    assert measures_of([SEQUENTIAL, PARALLEL]) == ["em", "judge_fluency"]
