import dataclasses
import json
from pathlib import Path

import pytest

from pmind.errors import DataError
from pmind.evaluation.intervals import mean_interval
from pmind.evaluation.rows import write_rows
from pmind.evaluation.summary import summarise
from pmind.tasks.records import Question, QuestionGroup, write_groups
from stages import evaluate
from tests.answers import answered

PARAMS = Path(__file__).parents[3] / "params.yaml"
OPTIONS = ("肺炎", "胃炎", "痛风", "贫血")


def test_group(number):
    questions = (
        Question(f"{number}-free", f"Who is {number}?", (f"name {number}",)),
        Question(f"{number}-choice", f"What is {number}?", (OPTIONS[number % 4],), OPTIONS, (number % 4,)),
    )
    return QuestionGroup(f"g{number}", f"document {number // 2}", "passage", questions)


test_group.__test__ = False
GROUPS = [test_group(number) for number in range(20)]


def answers(method, right):
    """Answers of which those that RIGHT picks by group number are right."""
    rows = []
    for number, group in enumerate(GROUPS):
        for question in group.questions:
            text = question.answers[0] if right(number) else "wrong"
            scores = tuple(-float((index,) != question.correct) for index in range(4)) if question.options else ()
            scores = scores if right(number) else scores[::-1]
            scoring = "choice" if question.options else "squad"
            rows.append(answered(group, question, method=method, scoring=scoring, text=text, option_scores=scores))
    return rows


ANSWERS = {
    "parallel": answers("parallel", lambda number: number != 3),
    "sequential": answers("sequential", lambda number: True),
    "batch": answers("batch", lambda number: number > 9),
    "base": answers("sequential", lambda number: number > 15),
    "parallel_swapped": answers("parallel", lambda number: False),
}


def test_keys_read_as_sentences():
    metrics = summarise("cmb", ANSWERS, GROUPS, [], 0.95)
    expected = {
        "cmb.parallel.em": 0.95, "cmb.parallel.f1": 0.95, "cmb.parallel.accuracy": 0.95, "cmb.parallel.n": 40,
        "cmb.parallel.accuracy_n": 20, "cmb.parallel.groups": 20, "cmb.parallel.documents": 10,
        "cmb.sequential.em": 1, "cmb.sequential.accuracy": 1, "cmb.batch.em": 0.5, "cmb.batch.accuracy": 0.5,
        "cmb.parallel_minus_sequential.em": -0.05, "cmb.parallel_minus_sequential.accuracy": -0.05,
        "cmb.base.em": 0.2, "cmb.parallel_minus_base.em": 0.75, "cmb.parallel_minus_base.accuracy": 0.75,
        "cmb.parallel.lenient": 0.95, "cmb.parallel.accuracy_generated": 0.95,
        "cmb.parallel.em_swapped_context": 0, "cmb.parallel.accuracy_swapped_context": 0,
        "cmb.chance.em": 0.125, "cmb.chance.accuracy": 0.25, "cmb.chance.accuracy_predictor": "uniform",
    }  # fmt: skip
    assert {key: metrics[key] for key in expected} == expected
    assert not [key for key in metrics if "swapped." in key or "_swapped_low" in key]


def test_intervals_surround_their_values():
    metrics = summarise("cmb", ANSWERS, GROUPS, [], 0.95)
    estimates = [key.removesuffix("_low") for key in metrics if key.endswith("_low")]
    assert "cmb.parallel_minus_sequential.em" in estimates
    for key in estimates:
        assert metrics[f"{key}_low"] <= metrics[key] <= metrics[f"{key}_high"]
        assert metrics[f"{key}_low"] < metrics[f"{key}_high"]


def test_intervals_are_clustered_by_document():
    metrics = summarise("cmb", ANSWERS, GROUPS, [], 0.95)
    scores = [float(number != 3) for number in range(20) for _ in range(2)]
    expected = mean_interval(scores, [str(number // 2) for number in range(20) for _ in range(2)])
    assert metrics["cmb.parallel.em_low"] == pytest.approx(expected.low, abs=1e-6)


def test_a_question_that_is_a_document_of_its_own_is_a_cluster_of_its_own():
    apart = [
        dataclasses.replace(
            group, questions=tuple(dataclasses.replace(question, document=question.id) for question in group.questions)
        )
        for group in GROUPS
    ]
    rows = {
        method: [dataclasses.replace(row, document=row.question_id) for row in rows] for method, rows in ANSWERS.items()
    }
    metrics = summarise("cmb", rows, apart, [], 0.95)
    assert metrics["cmb.parallel.documents"] == 40
    expected = mean_interval([float(number != 3) for number in range(20) for _ in range(2)], [*map(str, range(40))])
    assert metrics["cmb.parallel.em_low"] == pytest.approx(expected.low, abs=1e-6)


def test_measures_of_all_rows_together_stand_beside_the_means():
    questions = (Question("yes", "Who?", ("Orin",), category="HasAns"), Question("no", "Where?", (), category="NoAns"))
    groups = [QuestionGroup("g", "d", "passage", questions), QuestionGroup("h", "e", "", (Question("x", "?", ("y",)),))]
    said = {"yes": "Orin", "no": "here", "x": "y"}
    rows = [
        answered(group, question, scoring="squad2", text=said[question.id])
        for group in groups
        for question in group.questions
    ]
    metrics = summarise("squad", {"parallel": rows, "parallel_swapped": rows[:2]}, groups, [], 0.95)
    assert metrics["squad.parallel.HasAns_em"] == 1
    assert metrics["squad.parallel.NoAns_em"] == 0
    assert not [key for key in metrics if "HasAns" in key and "swapped" in key]
    assert metrics["squad.parallel.lenient"] == 1  # of the two questions that have an answer
    assert metrics["squad.chance.em"] == pytest.approx(1 / 3, abs=1e-6)


def test_several_right_options_have_no_accuracy_and_no_chance_of_it():
    question = Question("q", "Which?", OPTIONS[:2], OPTIONS, (0, 1))
    groups = [QuestionGroup("g", "d", "passage", (question,))]
    rows = [answered(groups[0], question, scoring="choice", text="A, B")]
    metrics = summarise("cmb", {"parallel": rows}, groups, [], 0.95)
    assert metrics["cmb.parallel.accuracy_generated"] == 1
    assert not [key for key in metrics if key.startswith(("cmb.parallel.accuracy_n", "cmb.chance.accuracy"))]


def test_free_text_alone_has_no_accuracy():
    groups = [dataclasses.replace(group, questions=group.questions[:1]) for group in GROUPS]
    rows = {method: [row for row in rows if not row.option_scores] for method, rows in ANSWERS.items()}
    metrics = summarise("squad", rows, groups, [], 0.95)
    assert metrics["squad.parallel.em"] == 0.95
    assert not [key for key in metrics if "accuracy" in key]


def test_answers_to_another_test_set_are_refused():
    broken = {**ANSWERS, "batch": ANSWERS["batch"][1:]}
    with pytest.raises(DataError, match=r"cmb/batch: 1 questions are not in both.*'0-free'"):
        summarise("cmb", broken, GROUPS, [], 0.95)


def test_passages_without_another_are_left_out_of_the_swap():
    some = summarise("cmb", {**ANSWERS, "parallel_swapped": ANSWERS["parallel_swapped"][:6]}, GROUPS, [], 0.95)
    none = summarise("cmb", {**ANSWERS, "parallel_swapped": []}, GROUPS, [], 0.95)
    assert some["cmb.parallel.n_swapped_context"] == 6
    assert some["cmb.parallel.em_swapped_context"] == 0
    assert none["cmb.parallel.n_swapped_context"] == 0
    assert "cmb.parallel.em_swapped_context" not in none


def test_the_stage_writes_sorted_flat_metrics(tmp_path):
    for split in ("train", "test"):
        write_groups(tmp_path / "groups" / "cmb" / f"{split}.jsonl", GROUPS if split == "test" else [])
    for method in evaluate.METHODS:
        write_rows(tmp_path / "answers" / "cmb" / f"{method}.parquet", ANSWERS.get(method, ANSWERS["batch"]))
    out, settings = tmp_path / "metrics" / "quality.json", tmp_path / "metrics" / "settings.json"
    evaluate.main(tmp_path / "groups", tmp_path / "answers", out, settings, params=PARAMS)
    assert json.loads(settings.read_text())["alignment"] == "right"  # what auto means here
    metrics = json.loads(out.read_text())
    assert list(metrics) == sorted(metrics)
    assert metrics["interval.confidence"] == 0.95
    assert metrics["cmb.parallel.em"] == 0.95


def test_the_stage_names_missing_groups(tmp_path):
    with pytest.raises(DataError, match="dvc repro group"):
        evaluate.main(tmp_path, tmp_path, tmp_path / "quality.json", tmp_path / "settings.json", params=PARAMS)
