import json
import re
from collections import Counter
from pathlib import Path

import pytest

from pmind.errors import DataError
from pmind.tasks.hotpotqa import HOTPOTQA, HOTPOTQA_FULLWIKI, hotpot_groups, hotpot_rows, read_hotpot
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import render_group

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "hotpotqa"
ENTRY = {
    "_id": "5a",
    "question": "Where was the painter of Rain born? ",
    "answer": "Torvale",
    "type": "bridge",
    "level": "hard",
    "supporting_facts": [["Rain", 0], ["Orin", 1]],
    "context": [["Rain", ["Rain is by Orin."]], ["Orin", ["Orin is a painter.", " He was born in Torvale."]]],
}
CONTEXT = "Passage 1:\nRain\nRain is by Orin.\nPassage 2:\nOrin\nOrin is a painter. He was born in Torvale."


def groups_of(data):
    intake = Intake()
    return hotpot_groups(data, "dev/f.json", intake), +intake.dropped


def without(*names):
    return {name: value for name, value in ENTRY.items() if name not in names}


def write(tmp_path, data):
    (tmp_path / "f.json").write_text(json.dumps(data, indent=1), encoding="utf-8")
    return tmp_path / "f.json"


def test_a_question_is_a_group_and_brings_its_passages():
    (group,), dropped = groups_of([ENTRY])
    (question,) = group.questions
    assert (group.id, group.document, group.context) == ("5a", "5a", "")
    assert (question.id, question.document, question.category) == ("5a", "5a", "bridge")
    assert (question.text, question.answers) == ("Where was the painter of Rain born?", ("Torvale",))
    assert question.context == CONTEXT
    assert not dropped


def test_an_entry_without_passages_is_a_closed_book_question():
    groups, _ = groups_of([{"question": text, "answer": "yes", "type": "comparison"} for text in ("Is it?", "Was it?")])
    assert [(group.id, group.questions[0].context) for group in groups] == [("f-0", ""), ("f-1", "")]


@pytest.mark.parametrize("entry", [without("answer", "type"), {**ENTRY, "answer": None}, {**ENTRY, "answer": " "}])
def test_a_question_without_answer_is_left_out_and_counted(entry):
    assert groups_of([entry]) == ([], {"unanswered_questions": 1})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (3, "expected an object, found int"),
        (ENTRY, "id '5a' occurs twice, first at .*f.json: .0."),
        (without("_id"), "no field '_id'"),
        (without("type"), "no field 'type'"),
        ({**ENTRY, "_id": "5b", "answer": 3}, r"answer: expected a text, found int"),
        ({**ENTRY, "_id": "5b", "context": "Orin"}, r"context: expected a list, found str"),
        ({**ENTRY, "_id": "5b", "context": []}, r"context: is empty"),
        (
            {**ENTRY, "_id": "5b", "context": [["Orin", "He."]]},
            r"context\[0\]: expected a title and a list of sentences",
        ),
    ],
)
def test_another_schema_is_an_error_that_names_the_line(tmp_path, entry, message):
    path = write(tmp_path, [ENTRY, {**entry, "_id": "5b"} if entry == without("type") else entry])
    lines = path.read_text(encoding="utf-8").splitlines()
    second = lines.index(" },") + 2
    with pytest.raises(DataError, match=rf"f\.json:\d+: \[1\](\.|: ){message}") as error:
        read_hotpot(path, Intake())
    assert second <= int(str(error.value).removeprefix(f"{path}:").split(":")[0]) < len(lines)


def test_an_object_a_truncated_file_and_another_encoding_are_errors(tmp_path):
    with pytest.raises(DataError, match=r"f\.json:1: expected a list of questions, found dict"):
        read_hotpot(write(tmp_path, {}), Intake())
    path = write(tmp_path, [ENTRY])
    path.write_text(path.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    with pytest.raises(DataError, match=r"f\.json:\d+: not valid JSON"):
        read_hotpot(path, Intake())
    path.write_bytes('["é"]'.encode("latin-1"))
    with pytest.raises(DataError, match=r"f\.json:1: not UTF-8"):
        read_hotpot(path, Intake())


ROW = {
    **without("_id"),
    "id": "5a",
    "supporting_facts": {"title": ["Rain", "Orin"], "sent_id": [0, 1]},
    "context": {"title": ["Rain", "Orin"], "sentences": [sentences for _, sentences in ENTRY["context"]]},
}


def test_rows_of_the_hub_become_the_same_groups():
    assert hotpot_rows([ROW], "hub", Intake()) == groups_of([ENTRY])[0]


def test_rows_of_the_hubs_test_split_are_left_out_and_counted():
    intake = Intake()
    assert hotpot_rows([{**ROW, "answer": None, "type": None, "level": None}], "hub", intake) == []
    assert intake.dropped == {"unanswered_questions": 1}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ENTRY, "hub row 0: no field 'id'"),
        ({**ROW, "context": ENTRY["context"]}, r"hub row 0\.context: expected an object, found list"),
        ({**ROW, "context": {"title": ["Rain"]}}, r"hub row 0\.context: no field 'sentences'"),
    ],
)
def test_a_row_of_another_schema_is_named(row, message):
    with pytest.raises(DataError, match=message):
        hotpot_rows([row], "hub", Intake())


def test_a_prompt_with_and_without_passages():
    task = "Answer the question based on the given passages. Only give me the answer and do not output any other words."
    (group,), _ = groups_of([ENTRY])
    assert "".join(render_group(group, HOTPOTQA.template)) == (
        f"{task}\n\nThe following are given passages.\n{CONTEXT}\n\n{task}\n\n"
        "Question: Where was the painter of Rain born?\nAnswer: Torvale"
    )
    (group,), _ = groups_of([without("context")])
    assert "".join(render_group(group, HOTPOTQA.template)) == (
        "Question: Where was the painter of Rain born?\nAnswer: Torvale"
    )
    assert HOTPOTQA_FULLWIKI.template == HOTPOTQA.template


@pytest.mark.parametrize(
    ("file", "questions", "kinds", "passages"),
    [
        ("hotpot_distractor_sample100.json.xz", 100, {"bridge": 85, "comparison": 15}, 1000),
        ("hipporag_hotpotqa_train.json.xz", 100, {"bridge": 78, "comparison": 22}, 994),
        ("hotpot_dev_v1_simplified.json.xz", 7405, {"bridge": 5918, "comparison": 1487}, 0),
    ],
)
def test_real_files_are_read_whole(file, questions, kinds, passages):
    if not (SHARED / file).is_file():
        pytest.skip(f"no ../shared/data/hotpotqa/{file} beside the repository")
    intake = Intake()
    groups = read_hotpot(SHARED / file, intake)
    asked = [question for group in groups for question in group.questions]
    assert len(groups) == len(asked) == questions
    assert len({group.document for group in groups}) == len({question.id for question in asked}) == questions
    assert Counter(question.category for question in asked) == kinds
    assert sum(len(re.findall(r"^Passage \d+:$", question.context, re.M)) for question in asked) == passages
    assert not +intake.dropped
