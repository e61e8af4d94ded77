import copy
import json

import pytest

from pmind.corpora.builtin_chained import chained_task
from pmind.corpora.places import SchemaError
from pmind.tasks.chained import CHAINED, HINTED, chained_groups, read_chained
from pmind.tasks.intake import Intake
from pmind.tasks.records import Question, QuestionGroup, read_groups, write_groups

WHO = {"id": "a", "question": "Who paints?", "answers": [{"text": "Orin"}], "category": "independent", "needs": []}
WHERE = {
    "id": "b",
    "question": "Where is the person from question 1 at home?",
    "answers": [{"text": "Relsa"}],
    "category": "dependent",
    "needs": ["a"],
}
SMALL = {"data": [{"title": "T", "paragraphs": [{"context": "Orin lives in Relsa.", "qas": [WHO, WHERE]}]}]}


def small(**changes):
    data = copy.deepcopy(SMALL)
    data["data"][0]["paragraphs"][0]["qas"][1] |= changes
    return data


def test_questions_keep_their_category_and_what_they_need():
    (group,) = chained_groups(SMALL, "f.json", Intake())
    assert group.questions == (
        Question("a", "Who paints?", ("Orin",), category="independent"),
        Question("b", WHERE["question"], ("Relsa",), category="dependent", needs=("a",)),
    )


@pytest.mark.parametrize("needs", ["b", "c"])
def test_only_another_question_of_the_group_can_be_needed(needs):
    with pytest.raises(SchemaError, match=f"question 'b'.*needs '{needs}', which is no other question of its group"):
        chained_groups(small(needs=[needs]), "f.json", Intake())


def test_a_file_without_needs_is_another_schema(tmp_path):
    data = small()
    del data["data"][0]["paragraphs"][0]["qas"][0]["needs"]
    path = tmp_path / "f.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(SchemaError, match="needs"):
        read_chained(path, Intake())


def test_a_file_gives_what_the_generator_gives(tmp_path):
    path = tmp_path / "f.json"
    path.write_text(json.dumps(chained_task("test", 6, 1)), encoding="utf-8")
    assert CHAINED.read(path, Intake()) == chained_groups(chained_task("test", 6, 1), "x", Intake())
    assert HINTED.read is CHAINED.read


def test_needs_are_written_where_there_are_some_and_read_again(tmp_path):
    groups = chained_groups(SMALL, "f.json", Intake())
    plain = [QuestionGroup("g", "d", "", (Question("q", "?", ("x",)),))]
    write_groups(tmp_path / "groups.jsonl", groups + plain)
    assert read_groups(tmp_path / "groups.jsonl") == groups + plain
    lines = (tmp_path / "groups.jsonl").read_text(encoding="utf-8").splitlines()
    entries = [entry for line in lines for entry in json.loads(line)["questions"]]
    assert [entry.get("needs") for entry in entries] == [None, ["a"], None]
