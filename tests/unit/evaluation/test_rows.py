import dataclasses

import pytest

from pmind.errors import DataError
from pmind.evaluation.rows import AnswerRow, read_rows, write_rows

FREE = AnswerRow("q1", "g1", "Torvale", 1, "parallel", "Who?", ("Orin", "Orin B."), " Orin", (5, 7), "stop")
CHOICE = dataclasses.replace(FREE, question_id="q2", text="肺炎", option_scores=(-1.5, -0.25), correct=1)


def test_rows_survive_the_file(tmp_path):
    path = tmp_path / "squad" / "parallel.jsonl"
    write_rows(path, [FREE, CHOICE])
    assert read_rows(path) == [FREE, CHOICE]


def test_missing_file_names_the_stage(tmp_path):
    with pytest.raises(DataError, match=r"gone\.jsonl: no such file.*dvc repro decode"):
        read_rows(tmp_path / "gone.jsonl")


def test_no_question_may_have_another_passage(tmp_path):
    write_rows(tmp_path / "parallel_swapped.jsonl", [])
    assert read_rows(tmp_path / "parallel_swapped.jsonl") == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda line: line[:40], "not an answer row"),
        (lambda line: line.replace('"text"', '"txt"'), "txt"),
        (lambda line: line.replace("-0.25", "NaN"), "NaN is not a number"),
        (lambda line: line.replace('"correct": 1', '"correct": 2'), "correct is 2"),
        (lambda line: line.replace('"correct": 1', '"correct": null'), "without correct"),
        (lambda line: "[]", "not an answer row"),
    ],
)
def test_bad_line_is_named_with_file_and_number(tmp_path, change, reason):
    path = tmp_path / "rows.jsonl"
    write_rows(path, [FREE, CHOICE])
    first, second = path.read_text(encoding="utf-8").splitlines()
    path.write_text(f"{first}\n{change(second)}\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"rows\.jsonl:2: .*{reason}"):
        read_rows(path)


def test_a_question_twice_is_an_error(tmp_path):
    write_rows(tmp_path / "a.jsonl", [FREE, CHOICE, FREE])
    with pytest.raises(DataError, match=r":3: question 'q1' comes twice"):
        read_rows(tmp_path / "a.jsonl")


def test_a_score_that_is_no_number_is_not_written(tmp_path):
    broken = dataclasses.replace(CHOICE, option_scores=(float("nan"), 0.0))
    with pytest.raises(DataError, match="question 'q2'"):
        write_rows(tmp_path / "a.jsonl", [broken])
