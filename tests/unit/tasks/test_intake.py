import pytest

from pmind.corpora.places import SchemaError
from pmind.tasks.intake import Intake
from pmind.tasks.records import Question


def test_an_id_is_new_once():
    intake = Intake()
    assert (intake.new_id("a", "x.json:1"), intake.new_id("b", "x.json:2")) == ("a", "b")
    with pytest.raises(SchemaError, match=r"y.json:7: id 'a' occurs twice, first at x.json:1\. Make ids unique"):
        intake.new_id("a", "y.json:7")


def test_an_id_that_comes_twice_at_one_place_is_found():
    intake, where = Intake(), "x.json:1"
    intake.new_id("a", where)
    with pytest.raises(SchemaError, match="id 'a' occurs twice"):
        intake.new_id("a", where)


def test_reasons_are_counted():
    intake = Intake()
    intake.drop("unanswered_questions")
    intake.drop("unanswered_questions", 2)
    assert intake.dropped == {"unanswered_questions": 3}


def test_a_question_asked_twice_is_kept_once():
    intake = Intake()
    first = Question("1", "Who?", ("Orin",))
    others = [
        Question("2", "Who?", ("Mara",)),
        Question("3", "Who?", ("Orin",), context="another passage"),
        Question("4", "Who?", ("Orin",), ("Orin", "Mara"), (0,)),
        Question("5", "Where?", ("Torvale",)),
    ]
    assert [question.id for question in intake.distinct([first, *others])] == ["1", "3", "4", "5"]
    assert intake.dropped == {"duplicate_questions": 1}
