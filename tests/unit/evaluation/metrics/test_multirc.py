import json
import random

import pytest
from sklearn.metrics import f1_score

from pmind.errors import DataError
from pmind.evaluation.metrics.multirc import exact, f1a, f1m, f1m_macro, question_exact
from tests.unit.evaluation.metrics import official


def flags(options, count):
    return [int(index in options) for index in range(count)]


def real_labels(text):
    passages = [json.loads(line)["passage"] for line in text.splitlines()[:20]]
    return [
        [answer["label"] for answer in question["answers"]] for passage in passages for question in passage["questions"]
    ]


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 1.0])
def test_measures_are_the_evaluators_on_real_questions(read_real, rate):
    """Predictions: the gold labels with a share of them flipped."""
    labels = real_labels(read_real("multirc/train.jsonl.xz"))
    assert len(labels) > 150
    dice = random.Random(0)
    guesses = [[label ^ (dice.random() < rate) for label in question] for question in labels]
    right = [{index for index, label in enumerate(question) if label} for question in labels]
    predicted = [{index for index, label in enumerate(question) if label} for question in guesses]
    flat = [[int(label) for question in side for label in question] for side in (labels, guesses)]
    assert f1a(predicted, right) == pytest.approx(f1_score(*flat))
    assert exact(predicted, right) == sum(map(list.__eq__, labels, guesses)) / len(labels)
    if rate < 1:
        assert f1m(predicted, right) == pytest.approx(official.multirc_per_question(guesses, labels))
    macro = [f1_score(*map(list, pair), average="macro") for pair in zip(labels, guesses, strict=True)]
    assert f1m_macro(predicted, right, list(map(len, labels))) == pytest.approx(sum(macro) / len(macro))


def test_questions_of_which_nothing_is_predicted_or_right():
    assert f1m([set()], [{0}]) == 0
    assert f1m([set(), {0}], [{0}, {0}]) == pytest.approx(2 * 1 * 0.5 / 1.5)
    assert f1m([{0}], [set()]) == 0
    assert f1a([set()], [set()]) == f1a([{1}], [{0}]) == 0
    assert exact([set(), {1}], [set(), {0}]) == 0.5
    assert f1m_macro([set()], [set()], [2]) == 1


def test_the_order_of_options_does_not_matter():
    assert question_exact((2, 0), [0, 2]) == 1
    assert question_exact((2,), [0, 2]) == 0


@pytest.mark.parametrize("score", [exact, f1a, f1m])
@pytest.mark.parametrize(("predicted", "right"), [([], []), ([{0}], []), ([{0}], [{0}, {1}])])
def test_every_question_needs_an_answer(score, predicted, right):
    with pytest.raises(DataError, match="each question needs one"):
        score(predicted, right)


def test_every_question_needs_its_number_of_options():
    with pytest.raises(DataError, match="2 numbers of options for 1 questions"):
        f1m_macro([{0}], [{0}], [3, 3])
