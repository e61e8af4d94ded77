import json

import pytest

from pmind.errors import DataError
from pmind.evaluation.metrics.hotpot import hotpot_exact, hotpot_f1, hotpot_scores
from tests.unit.evaluation.metrics import official


def test_scores_are_the_official_ones_on_real_answers(read_real):
    answers = [entry["answer"] for entry in json.loads(read_real("hotpotqa/hotpot_dev_v1_simplified.json.xz"))][::5]
    closed = 0
    for own, other in zip(answers, answers[1:] + answers[:1], strict=True):
        closed += own in ("yes", "no")
        for prediction in (own, other, f"The {own}.", own.split()[-1], f"no {own}", "yes", ""):
            scores = hotpot_scores(prediction, own)
            found = (scores.exact, scores.f1, scores.precision, scores.recall)
            assert found == official.hotpot(prediction, own), (prediction, own)
    assert closed > 60  # the special case is among them


@pytest.mark.parametrize(
    ("prediction", "reference", "exact", "f1"),
    [
        ("Yes.", "yes", 1, 1),
        ("yes indeed", "yes", 0, 0),
        ("no", "no country", 0, 0),
        ("no country", "no", 0, 0),
        ("NoAnswer", "no answer", 0, 0),
        ("noanswer", "noanswer", 1, 1),
        ("noanswer given", "noanswer", 0, 0),
        ("no country", "country", 0, 2 / 3),
        ("", "", 1, 0),
        ("the", "a", 1, 0),
    ],
)
def test_cases_worked_out_by_hand(prediction, reference, exact, f1):
    assert hotpot_exact(prediction, [reference]) == exact
    assert hotpot_f1(prediction, [reference]) == pytest.approx(f1)


def test_the_best_reference_counts_and_one_is_needed():
    assert hotpot_f1("no country", ["no", "no country"]) == 1
    for score in (hotpot_exact, hotpot_f1):
        with pytest.raises(DataError, match="no reference"):
            score("x", [])
