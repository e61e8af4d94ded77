import pytest

from pmind.evaluation.metrics.quac import human_f1, is_scored, quac_f1


@pytest.mark.parametrize(
    ("prediction", "references", "score"),
    [
        ("the red door", ["a red door"], 1.0),
        ("red", ["red door", "blue"], (2 / 3 + 0) / 2),
        ("CANNOTANSWER", ["CANNOTANSWER", "CANNOTANSWER", "red"], 1.0),
        ("CANNOTANSWER", ["red", "CANNOTANSWER"], 0.5),
        ("cannotanswer", ["CANNOTANSWER"], 0.0),
        ("", ["red"], 0.0),
    ],
)
def test_each_annotator_is_left_out_in_turn(prediction, references, score):
    assert quac_f1(prediction, references) == pytest.approx(score)


def test_questions_on_which_people_disagree_do_not_count():
    assert human_f1(["red", "red", "blue"]) == pytest.approx(2 / 3)
    assert is_scored(["red"])
    assert not is_scored(["red", "blue", "green"])
