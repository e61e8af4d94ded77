import pytest

from pmind.reports import formats, measures


def test_a_judge_s_grades_are_no_shares():
    assert measures.title("judge_fluency") == "Judge: fluency, 1–5"
    assert measures.score("judge_fluency", 4.25, 4.0, 4.5) == "4.25 (4.00–4.50)"
    assert measures.difference("judge_fluency", -0.25, -0.5, 0.0) == "−0.25 (−0.50…0.00)"
    assert measures.score("rougeL", 0.25, 0.125, 0.5) == "25.0 (12.5–50.0)"


@pytest.mark.parametrize("measure", ["em", "judge_fluency"])
def test_what_is_missing_is_said(measure):
    assert measures.score(measure, None) == measures.difference(measure, None) == formats.MISSING


def test_p_values_are_rounded_but_never_to_nothing():
    assert [formats.p_value(value) for value in (1.0, 0.001, 0.00099, 0.0, None)] == [
        *("p 1.000", "p 0.001", "p < 0.001", "p < 0.001"),
        formats.MISSING,
    ]
