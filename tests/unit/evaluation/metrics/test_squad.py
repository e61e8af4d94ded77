import itertools
import json
import random

import pytest

from pmind.errors import DataError
from pmind.evaluation.metrics.squad import (
    squad_v1_exact,
    squad_v1_f1,
    squad_v2_exact,
    squad_v2_f1,
    squad_v2_summary,
    squad_v2_threshold,
)
from tests.unit.evaluation.metrics import official

QUESTIONS = 400  # spread over the articles; all 8,000 agree too


def imitate(kind, own, other):
    """A prediction: what a model might make of its OWN gold answer, or take from an OTHER question."""
    return {
        "another annotator": own,
        "another question": other,
        "truncated": " ".join(own.split()[: len(own.split()) // 2]),
        "dressed": f"It was the {own.upper()}, (a) ...",
        "doubled": f"{own} {own}",
        "empty": "",
        "an article": "The",
    }[kind]


KINDS = ("another annotator", "another question", "truncated", "dressed", "doubled", "empty", "an article")


def sample(text):
    questions = list(official.questions_of(json.loads(text)["data"]))
    return questions[:: len(questions) // QUESTIONS]


def golds(question):
    return [answer["text"] for answer in question["answers"]]


def predictions_for(questions, kind):
    answers = [golds(question)[-1] if golds(question) else "in 1066" for question in questions]
    others = answers[1:] + answers[:1]
    return {
        question["id"]: imitate(kind, own, other)
        for question, own, other in zip(questions, answers, others, strict=True)
    }


def as_dataset(questions):
    return [{"paragraphs": [{"qas": questions}]}]


def without_last(questions):
    """The questions without the answers that predictions are made from, where others remain."""
    return [{**question, "answers": question["answers"][:-1] or question["answers"]} for question in questions]


@pytest.mark.parametrize("kind", KINDS)
def test_v1_is_the_official_evaluator_on_real_questions(read_real, kind):
    questions = sample(read_real("squad/squad_dev-v1.1.reconstructed.json.xz"))
    predictions, questions = predictions_for(questions, kind), without_last(questions)
    exact = sum(squad_v1_exact(predictions[question["id"]], golds(question)) for question in questions)
    f1 = sum(squad_v1_f1(predictions[question["id"]], golds(question)) for question in questions)
    scores = {"exact_match": 100.0 * exact / len(questions), "f1": 100.0 * f1 / len(questions)}
    assert scores == official.squad_v1_evaluate(as_dataset(questions), predictions)


@pytest.mark.parametrize("kind", KINDS)
def test_v2_is_the_official_evaluator_on_real_questions(read_real, kind):
    questions = sample(read_real("squad/squad_dev-v2.0.reconstructed.json.xz"))
    predictions, questions = predictions_for(questions, kind), without_last(questions)
    expected = official.squad_v2_evaluate(as_dataset(questions), predictions)
    assert {"HasAns_exact", "NoAns_f1", "NoAns_total"} <= expected.keys()
    assert squad_v2_summary(list(predictions.values()), [golds(question) for question in questions]) == expected


@pytest.mark.parametrize("threshold", [0.25, 0.5, 1.0])
def test_v2_thresholds_are_the_official_ones(read_real, threshold):
    questions = sample(read_real("squad/squad_dev-v2.0.reconstructed.json.xz"))
    dice = random.Random(0)
    predictions = predictions_for(questions, "another annotator")
    wrong = predictions_for(questions, "another question")
    predictions = {key: dice.choice([text, wrong[key], ""]) for key, text in predictions.items()}
    questions = without_last(questions)
    unsure = {q["id"]: round(dice.betavariate(1, 3) if q["answers"] else dice.betavariate(3, 1), 2) for q in questions}
    expected = official.squad_v2_evaluate(as_dataset(questions), predictions, unsure, threshold)
    assert expected["best_exact_thresh"] not in (0.0, 1.0)
    references = [golds(question) for question in questions]
    assert squad_v2_summary(list(predictions.values()), references, list(unsure.values()), threshold) == expected


def test_annotators_agree_as_well_as_published(read_real):
    """Rajpurkar et al. (2016), table 5: on dev the second answer against the others has EM 80.3 and F1 90.5."""
    questions = list(official.questions_of(json.loads(read_real("squad/squad_dev-v1.1.reconstructed.json.xz"))["data"]))
    pairs = [(golds(q)[1], [golds(q)[0], *golds(q)[2:]]) for q in questions if len(golds(q)) > 2]
    assert 100 * sum(squad_v1_exact(*pair) for pair in pairs) / len(pairs) == pytest.approx(80.3, abs=2)
    assert 100 * sum(squad_v1_f1(*pair) for pair in pairs) / len(pairs) == pytest.approx(90.5, abs=2)


@pytest.mark.parametrize(
    ("prediction", "references", "v1", "v2"),
    [
        ("", [""], (1, 0), (1, 1)),
        ("the", ["a"], (1, 0), (1, 1)),
        ("", ["door"], (0, 0), (0, 0)),
        ("door", ["the"], (0, 0), (0, 0)),
        ("door", ["the", "door"], (1, 1), (1, 1)),
        ("", ["the", "door"], (1, 0), (0, 0)),  # v2.0 drops the reference that is nothing
        ("rock", ["rock n roll"], (0, 0.5), (0, 0.5)),
        ("to be or not to be", ["to be"], (0, 0.5), (0, 0.5)),
        ("U.S.A", ["usa"], (1, 1), (1, 1)),
        ("10-year", ["10 year"], (0, 0), (0, 0)),  # the hyphen goes, the words run together
        ("red—a—door", ["red——door"], (0, 0), (0, 0)),  # an article leaves a blank
        ("“door”", ["door"], (0, 0), (0, 0)),  # only ASCII punctuation goes
    ],
)
def test_cases_worked_out_by_hand(prediction, references, v1, v2):
    assert (squad_v1_exact(prediction, references), squad_v1_f1(prediction, references)) == v1
    assert (squad_v2_exact(prediction, references), squad_v2_f1(prediction, references)) == v2


def test_a_question_without_answer_wants_silence():
    assert [squad_v2_exact(text, []) for text in ("", " a. ", "no answer")] == [1, 1, 0]
    assert [squad_v2_f1(text, []) for text in ("", " a. ", "no answer")] == [1, 1, 0]


def test_a_threshold_withholds_answers():
    predictions, references, unsure = ["door", "key", ""], [["door"], [], []], [0.9, 0.8, 0.1]
    assert squad_v2_summary(predictions, references, unsure)["exact"] == pytest.approx(200 / 3)
    withheld = squad_v2_summary(predictions, references, unsure, threshold=0.5)
    assert (withheld["HasAns_exact"], withheld["NoAns_exact"]) == (0.0, 100.0)
    assert (withheld["best_exact"], withheld["best_exact_thresh"]) == (pytest.approx(200 / 3), 0.0)


def test_no_threshold_is_better_than_the_best():
    dice = random.Random(1)
    count = 40
    scores = [float(dice.random() < 0.6) for _ in range(count)]
    answerable = [dice.random() < 0.5 for _ in range(count)]
    scores = [score if known else 0.0 for score, known in zip(scores, answerable, strict=True)]
    unsure = dice.sample(range(1000), count)
    best, _ = squad_v2_threshold(scores, ["x"] * count, answerable, unsure)
    reached = []
    for threshold in [-1, *unsure]:
        kept = [
            score if doubt <= threshold else float(not known)
            for score, known, doubt in zip(scores, answerable, unsure, strict=True)
        ]
        reached.append(100 * sum(kept) / count)
    assert best == pytest.approx(max(reached))


def test_kinds_that_do_not_occur_are_not_reported():
    assert set(squad_v2_summary(["x"], [["x"]])) == {"exact", "f1", "total"} | {
        f"HasAns_{name}" for name in ("exact", "f1", "total")
    }


@pytest.mark.parametrize(
    ("predictions", "references", "unsure"), [([], [], None), (["x"], [], None), (["x"], [["x"]], [0.1, 0.2])]
)
def test_lists_that_do_not_fit_are_refused(predictions, references, unsure):
    with pytest.raises(DataError, match="each question needs one"):
        squad_v2_summary(predictions, references, unsure)


def test_v1_needs_a_reference():
    for score in (squad_v1_exact, squad_v1_f1):
        with pytest.raises(DataError, match="no reference"):
            score("x", [])


def test_every_kind_of_prediction_differs():
    """Otherwise the parity tests above would try one thing many times."""
    made = [imitate(kind, "New York City", "door") for kind in KINDS]
    assert all(one != other for one, other in itertools.combinations(made, 2))
