"""Records of all methods' answers: sizes, scores, differences, categories."""

from dataclasses import replace

import pytest

from pmind.errors import DataError
from pmind.evaluation.comparison import compare
from pmind.evaluation.intervals import mean_interval
from pmind.evaluation.records import summarise_cells
from pmind.evaluation.suite import Answers
from tests.answers import row

SCORES = {"sequential": [1, 1, 0, 1, 0, 1], "parallel": [1, 0, 0, 1, 1, 1]}
DOCUMENTS = ["a", "a", "b", "b", "c", "d"]


def scored(method, seconds):
    rows = [
        row(question_id=f"q{n}", document=document, group_id=document, text="x" if right else f"wrong {method}")
        for n, (right, document) in enumerate(zip(SCORES[method], DOCUMENTS, strict=True))
    ]
    return Answers(rows, seconds, seconds / 4, 30)


BOTH = {("sequential", 1): scored("sequential", 4.0), ("parallel", 8): scored("parallel", 1.0)}
IDS = [f"q{n}" for n in range(6)]


def test_a_cell_is_one_flat_record():
    sequential, parallel = summarise_cells(BOTH, 0.95)
    sizes = {"groups": 4, "questions": 6, "documents": 4, "tokens": 30, "seconds": 1.0, "prefill_s": 0.25}
    speed = {"tokens_per_s": 30.0, "questions_per_s": 6.0, "speedup": 4.0, "same_answers": round(3 / 6, 6)}
    assert parallel.items() >= ({"method": "parallel", "branches": 8} | sizes | speed).items()
    expected = mean_interval([float(right) for right in SCORES["parallel"]], DOCUMENTS)
    for name, value in {"em": expected.value, "em_low": expected.low, "em_high": expected.high, "em_n": 6}.items():
        assert parallel[name] == pytest.approx(value, abs=1e-6)
    assert not [name for name in sequential if "minus" in name or name in ("speedup", "same_answers")]


def test_differences_to_sequential_are_paired_by_question():
    parallel = list(summarise_cells(BOTH, 0.9))[1]
    ours, theirs = (dict(zip(IDS, map(float, SCORES[method]), strict=True)) for method in ("parallel", "sequential"))
    expected = compare(ours, theirs, dict(zip(IDS, DOCUMENTS, strict=True)), 0.9)
    assert parallel["em_minus_sequential"] == expected.difference.value == 0
    assert parallel["em_minus_sequential_low"] == pytest.approx(expected.difference.low, abs=1e-6)
    assert parallel["em_minus_sequential_high"] == pytest.approx(expected.difference.high, abs=1e-6)
    assert parallel["em_minus_sequential_p"] == pytest.approx(expected.p_value, abs=1e-6)


def test_without_sequential_there_is_nothing_to_compare_with():
    (parallel,) = summarise_cells({("parallel", 8): BOTH["parallel", 8]}, 0.95)
    assert not [name for name in parallel if "sequential" in name or name == "speedup"]


def test_scores_that_cost_something_have_their_own_bounds():
    grades = {"sequential": [1, 5, 3, 3, 2, 4], "parallel": [5, 5, 4, 3, 2, 4]}

    def judge(rows):
        method = "parallel" if any("parallel" in entry.text for entry in rows) else "sequential"
        return {"judge_fluency": dict(zip(IDS, map(float, grades[method]), strict=True))}

    parallel = list(summarise_cells(BOTH, 0.95, judge))[1]
    assert parallel["judge_fluency"] == pytest.approx(23 / 6, abs=1e-6)
    assert parallel["judge_fluency_minus_sequential"] == pytest.approx(5 / 6, abs=1e-6)
    assert 1 <= parallel["judge_fluency_low"] <= parallel["judge_fluency_high"] <= 5
    with pytest.raises(DataError):
        list(summarise_cells(BOTH, 0.95, lambda rows: {"em": {"q0": 5.0}}))  # no grade


@pytest.mark.parametrize("judged", [["q0", "q1"], []])
def test_questions_that_only_one_method_has_a_score_for_are_not_compared(judged):
    def judge(rows):
        ours = any("parallel" in entry.text for entry in rows)
        return {"judge_fluency": dict.fromkeys(IDS if ours else judged, 3.0)} if ours or judged else {}

    parallel = list(summarise_cells(BOTH, 0.95, judge))[1]
    assert parallel["judge_fluency_n"] == 6
    assert "judge_fluency_minus_sequential" not in parallel
    assert "em_minus_sequential" in parallel


def test_measures_of_all_rows_together_stand_beside_the_means():
    rows = [replace(entry, scoring="squad2", category="HasAns") for entry in BOTH["parallel", 8].rows]
    (parallel,) = summarise_cells({("parallel", 8): Answers(rows, 1.0, 0.1, 1)}, 0.95)
    assert parallel["HasAns_em"] == round(4 / 6, 6)


def test_categories_have_scores_and_differences_of_their_own():
    kinds = ["easy", "easy", "hard", "easy", "hard", "hard"]

    def sorted_into(answers):
        rows = [replace(entry, category=kind) for entry, kind in zip(answers.rows, kinds, strict=True)]
        return replace(answers, rows=rows)

    sequential, parallel = summarise_cells({cell: sorted_into(answers) for cell, answers in BOTH.items()}, 0.95)
    assert {name: found["em"] for name, found in sequential["categories"].items()} == {"easy": 1.0, "hard": 0.333333}
    easy, hard = (parallel["categories"][name] for name in ("easy", "hard"))
    assert (easy["em"], easy["em_n"], easy["em_minus_sequential"]) == (0.666667, 3, -0.333333)
    assert (hard["em"], hard["em_minus_sequential"]) == (0.666667, 0.333333)
    assert easy["em_low"] < easy["em"] < easy["em_high"]
    assert "f1" not in easy


def test_questions_of_one_category_are_not_told_apart():
    assert not [record for record in summarise_cells(BOTH, 0.95) if "categories" in record]
