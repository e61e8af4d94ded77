import pytest

from pmind.evaluation.metrics.lenient import contains, lenient_match


@pytest.mark.parametrize(
    ("prediction", "reference", "match"),
    [
        ("It was the red door, I think.", "Red Door", 1),
        ("door", "the red door", 1),
        ("red key door", "red door", 0),
        ("category", "cat", 0),
        ("cat", "category", 0),
        ("10 mg", "100 mg", 0),
        ("100", "10", 0),
        ("", "door", 0),
        ("door", "", 0),
        ("", "", 0),
        (" ... ", "door", 0),
        ("the", "a", 0),
        ("诊断为高血压病。", "高血压", 1),
        ("血压", "高血压", 1),
        ("高血糖压", "高血压", 0),
        ("口服阿司匹林100 mg每日", "100mg", 0),
        ("口服阿司匹林100mg每日", "100 mg", 0),
        ("口服阿司匹林，100 mg", "阿司匹林 100 MG", 1),
    ],
)
def test_either_holds_the_other(prediction, reference, match):
    assert lenient_match(prediction, [reference]) == match
    assert lenient_match(reference, [prediction]) == match


def test_one_of_several_is_enough():
    assert lenient_match("the red door", ["key", "door"]) == 1
    assert lenient_match("the red door", ["key", ""]) == lenient_match("door", []) == 0


def test_a_part_may_stand_at_either_end():
    assert contains([1, 2, 3], [1, 2]) and contains([1, 2, 3], [2, 3]) and contains([1, 2], [1, 2])
    assert not contains([1, 2, 3], [1, 3]) and not contains([1], [1, 2])
