import dataclasses
import json

import pytest

from pmind.errors import DataError
from pmind.evaluation.comparison import compare
from pmind.evaluation.diff import diff_rows, run_diff
from pmind.evaluation.diff_text import format_diff
from pmind.evaluation.intervals import mean_interval
from pmind.evaluation.rows import write_rows
from tests.answers import row

QUESTIONS = range(12)


def score(answer):
    """A stand-in: one measure for all, one only for questions with options."""
    exact = {"em": float(answer.text in answer.references), "f1": 0.5 * (answer.text in answer.references)}
    return {**exact, "accuracy": float(answer.option_scores[0] > -1)} if answer.option_scores else exact


def rows(method, texts):
    return [
        row(
            question_id=f"q{number}", document=f"document {number // 3}", method=method, question=f"What is {number}?",
            references=(f"right {number}",), text=texts.get(number, f"right {number}"),
        )
        for number in QUESTIONS
    ]  # fmt: skip


A = rows("parallel", {4: "wrong"})
B = rows("sequential", {1: "wrong", 4: "no", 5: "wrong", 9: "wrong"})


def with_options(answers, scores):
    changes = {"options": ("x", "y"), "correct": (0,)}
    return [
        dataclasses.replace(answer, **changes, option_scores=scores[number]) if number in scores else answer
        for number, answer in enumerate(answers)
    ]


def test_every_measure_is_compared_on_the_same_questions():
    diff = diff_rows(A, B, score)
    documents = {answer.question_id: answer.document for answer in A}
    first, second = ({answer.question_id: score(answer)["em"] for answer in side} for side in (A, B))
    em, f1 = diff.measures
    assert (em.measure, f1.measure) == ("em", "f1")
    assert em.first == mean_interval(list(first.values()), list(documents.values()))
    assert em.second == mean_interval(list(second.values()), list(documents.values()))
    assert em.comparison == compare(first, second, documents)
    assert (em.comparison.won, em.comparison.lost, em.comparison.tied) == (3, 0, 9)
    assert f1.comparison.difference.value == pytest.approx(3 * 0.5 / 12)
    assert (diff.n, diff.documents, diff.one_sided) == (12, 4, ())
    assert (diff.first.methods, diff.second.methods) == (("parallel",), ("sequential",))


def test_the_order_of_the_second_file_does_not_matter():
    assert diff_rows(A, B[::-1], score).measures == diff_rows(A, B, score).measures


def test_several_measures_adjust_their_p_values():
    em, f1 = diff_rows(A, B, score).measures
    assert em.p_adjusted == pytest.approx(min(1, 2 * em.comparison.p_value))
    assert f1.p_adjusted == pytest.approx(em.p_adjusted)


def test_differing_questions_come_with_differing_scores_first():
    diff = diff_rows(A, B, score)
    assert [change.question_id for change in diff.changes] == ["q1", "q5", "q9", "q4"]
    assert diff.changed == 4
    last = diff.changes[-1]
    assert (last.first_text, last.second_text, last.first_scores) == ("wrong", "no", last.second_scores)


def test_a_score_may_differ_where_the_words_do_not():
    first, second = with_options(A, {0: (-0.5, -2.0)}), with_options(A, {0: (-1.5, -2.0)})
    (change,) = diff_rows(first, second, score).changes
    assert (change.first_scores["accuracy"], change.second_scores["accuracy"]) == (1, 0)


def test_equal_files_differ_in_nothing():
    diff = diff_rows(A, A, score)
    assert (diff.changed, diff.changes) == (0, ())
    assert [measure.comparison.p_value for measure in diff.measures] == [1, 1]
    assert "0 of 12 questions differ" in format_diff(diff)


def test_a_measure_that_some_questions_lack_is_compared_on_the_others():
    first = with_options(A, {0: (-0.5, -2.0), 1: (-0.5, -2.0), 2: (-0.5, -2.0)})
    second = with_options(B, {1: (-0.5, -2.0), 2: (-1.5, -2.0), 3: (-0.5, -2.0)})
    accuracy = diff_rows(first, second, score).measures[-1]
    assert (accuracy.measure, accuracy.comparison.difference.n, accuracy.unpaired) == ("accuracy", 2, 2)
    assert (accuracy.first.value, accuracy.second.value) == (1, 0.5)


def test_a_measure_of_one_file_alone_is_named():
    diff = diff_rows(with_options(A, {0: (-0.5, -2.0)}), B, score)
    assert diff.one_sided == ("accuracy",)
    assert [measure.measure for measure in diff.measures] == ["em", "f1"]
    assert "measured in one of them only: accuracy" in format_diff(diff)


def test_questions_in_one_file_only_are_an_error():
    with pytest.raises(DataError, match=r"10 questions are in both files, but 1 only in A \('q0' for one\) and 1 only"):
        diff_rows(A[:11], B[1:], score)
    with pytest.raises(DataError, match=r"2 only in B \('q10' for one\)\. .*--common-only"):
        diff_rows(A[:10], B, score)


def test_the_common_questions_are_compared_when_asked():
    diff = diff_rows(A[:11], B[2:], score, common_only=True)
    assert (diff.n, diff.first.n, diff.second.n) == (9, 11, 10)
    assert (diff.first.alone, diff.second.alone) == (("q0", "q1"), ("q11",))
    assert [measure.comparison.difference.n for measure in diff.measures] == [9, 9]
    text = format_diff(diff)
    assert "2 only in A, not compared: q0, q1\n1 only in B, not compared: q11" in text


def test_nothing_in_common_is_an_error():
    with pytest.raises(DataError, match="no question in common"):
        diff_rows(A[:3], B[3:], score, common_only=True)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"document": "else"}, "document"),
        ({"references": ("x",)}, "references"),
        ({"question": "Why?", "scoring": "drop"}, "scoring and another question"),
    ],
)
def test_another_question_under_the_same_id_is_an_error(changes, names):
    other = [*B[:3], dataclasses.replace(B[3], **changes), *B[4:]]
    with pytest.raises(DataError, match=f"question 'q3' has another {names} in A than in B"):
        diff_rows(A, other, score)


def test_a_measure_may_have_other_bounds():
    def grade(answer):
        return {"judge": 5.0 if answer.text in answer.references else 2.0}

    with pytest.raises(DataError, match="a score of 5 is not between 0 and 1"):
        diff_rows(A, B, grade)
    (judge,) = diff_rows(A, B, grade, bounds={"judge": (1, 5)}).measures
    assert judge.comparison.difference.value == pytest.approx(0.75)
    assert judge.first.high <= 5


def test_files_are_named_and_changes_cut(tmp_path):
    a, b = tmp_path / "a.parquet", tmp_path / "b.parquet"
    write_rows(a, A)
    write_rows(b, B)
    whole, cut = run_diff(a, b, score), run_diff(a, b, score, 1, confidence=0.8)
    assert (whole.first.name, whole.second.name) == (str(a), str(b))
    assert (len(whole.changes), len(cut.changes), cut.changed) == (4, 1, 4)
    assert cut.measures[0].first.low > whole.measures[0].first.low
    assert run_diff(a, b, score, 0).changes == ()
    write_rows(b, B[1:])
    with pytest.raises(DataError, match=r"1 only in .*a\.parquet"):
        run_diff(a, b, score)
    assert run_diff(a, b, score, common_only=True).n == 11


def test_everything_is_in_the_json():
    content = json.loads(json.dumps(diff_rows(A, B, score).to_dict(), allow_nan=False))
    assert content["measures"][0]["comparison"]["won"] == 3
    assert content["measures"][0]["comparison"]["difference"]["n"] == 12
    assert content["changes"][0]["second_text"] == "wrong"
    assert content["changes"][0]["first_scores"] == {"em": 1.0, "f1": 0.5}
    assert content["confidence"] == 0.95


def test_an_infinite_end_is_null_in_the_json():
    unbounded = {"em": (0, float("inf"))}
    content = diff_rows(A[:3], A[:3], score, bounds=unbounded).to_dict()  # one document
    assert content["measures"][0]["first"]["high"] is None
    json.dumps(content, allow_nan=False)


def test_the_text_is_a_plain_table():
    text = format_diff(diff_rows(A, B, score, names=("a.parquet", "b.parquet")))
    heading, table, told, *changes = text.rstrip("\n").split("\n\n")
    assert heading.splitlines() == [
        "A: a.parquet (parallel, squad)",
        "B: b.parquet (sequential, squad)",
        "12 questions of 4 documents are in both",
    ]
    header, em, f1 = table.splitlines()
    assert header.split()[:3] == ["measure", "n", "A"]
    assert header.split()[-3:] == ["won", "lost", "tied"]
    assert em.split()[:3] == ["em", "12", "0.9167"]
    assert "+0.2500" in em
    assert em.split()[-3:] == f1.split()[-3:] == ["3", "0", "9"]
    assert len(em) == len(f1) == len(header)
    assert told == "4 of 12 questions differ in words or scores"
    assert len(changes) == 4
    assert changes[0].splitlines() == [
        "q1 (document 0): em 1 → 0, f1 0.5 → 0",
        "  question: What is 1?",
        "  expected: right 1",
        "  A: right 1",
        "  B: wrong",
    ]
    assert changes[-1].startswith("q4 (document 1): scored the same")


def test_the_text_tells_what_it_leaves_out():
    first = [dataclasses.replace(A[0], references=(), text="on\ntwo lines and " + "very " * 50 + "long"), *A[1:]]
    second = [dataclasses.replace(B[0], references=()), *B[1:]]
    text = format_diff(diff_rows(first, second, score), limit=4)
    assert "5 of 12 questions differ in words or scores, 4 of them below" in text
    text = format_diff(diff_rows(first, second, score))
    assert "  expected: no answer\n" in text
    (long,) = (line for line in text.splitlines() if "two lines" in line)
    assert long.startswith("  A: on two lines and very")
    assert long.endswith("…")
    assert len(long) == 165


def test_unpaired_scores_have_their_column_when_there_are_some():
    first = with_options(A, {0: (-0.5, -2.0), 1: (-0.5, -2.0)})
    text = format_diff(diff_rows(first, with_options(B, {1: (-0.5, -2.0)}), score))
    header = next(line for line in text.splitlines() if line.startswith("measure"))
    accuracy = next(line for line in text.splitlines() if line.startswith("accuracy"))
    assert header.endswith("unpaired")
    assert accuracy.split()[-4:] == ["0", "0", "1", "1"]
