import copy
import json
from collections import Counter
from pathlib import Path

import pytest

from pmind.errors import DataError
from pmind.tasks.drop import DROP, SPAN_SEPARATOR, drop_groups, drop_rows, read_drop
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import render_group
from pmind.tasks.records import passage_document

SAMPLE = Path(__file__).resolve().parents[4] / "shared" / "data" / "fixtures" / "drop.json"
NO_DATE = {"day": "", "month": "", "year": ""}


def answer(number="", spans=(), date=NO_DATE):
    return {"number": number, "date": date, "spans": list(spans), "worker_id": "w", "hit_id": "h"}


SECTION = {
    "passage": " Ann and Bob met on 3 May 1611.",
    "qa_pairs": [
        {
            "query_id": "a",
            "question": "Who met?",
            "answer": answer(spans=["Ann", "Bob"]),
            "validated_answers": [answer(spans=["Bob"]), answer(spans=["Ann", "Bob"]), answer()],
        },
        {"query_id": "b", "question": "How many met?", "answer": answer(number="2"), "validated_answers": []},
        {"query_id": "c", "question": "When?", "answer": answer(date={"day": "3", "month": "May", "year": "1611"})},
    ],
}


def drop(**changes):
    data = {"history_1": copy.deepcopy(SECTION)}
    data["history_1"]["qa_pairs"][1] |= changes
    return data


def groups_of(data):
    intake = Intake()
    return drop_groups(data, "f.json", intake), +intake.dropped


def write(tmp_path, data):
    (tmp_path / "f.json").write_text(json.dumps(data, indent=1), encoding="utf-8")
    return tmp_path / "f.json"


def test_a_passage_becomes_a_group():
    (group,), dropped = groups_of(drop())
    assert (group.id, group.context) == ("a", "Ann and Bob met on 3 May 1611.")
    assert group.document == passage_document(group.context)
    assert [(question.id, question.answers, question.category) for question in group.questions] == [
        ("a", ("Ann; Bob", "Bob"), "spans"),
        ("b", ("2",), "number"),
        ("c", ("3 May 1611",), "date"),
    ]
    assert not dropped
    assert group.questions[0].answers[0].split(SPAN_SEPARATOR) == ["Ann", "Bob"]


@pytest.mark.parametrize(
    ("given", "text", "kind"),
    [
        (answer(number="3", spans=["Ann"]), "3", "number"),  # a number comes first, then spans
        (answer(spans=["Ann"], date={"year": "1611"}), "Ann", "span"),
        (answer(date={"day": "", "month": "May", "year": "1611"}), "May 1611", "date"),
        ({"number": 7, "date": {}, "spans": []}, "7", "number"),
    ],
)
def test_answers_are_written_as_the_official_evaluation_writes_them(given, text, kind):
    (group,), _ = groups_of(drop(answer=given))
    assert (group.questions[1].answers, group.questions[1].category) == ((text,), kind)


@pytest.mark.parametrize(
    ("changes", "dropped"),
    [
        ({"answer": answer()}, {"unanswered_questions": 1}),
        ({"answer": {"number": "", "date": {}, "spans": []}}, {"unanswered_questions": 1}),
        ({"question": "Who met?"}, {"duplicate_questions": 1}),
    ],
)
def test_what_is_left_out_is_counted(changes, dropped):
    (group,), counted = groups_of(drop(**changes))
    assert [question.id for question in group.questions] == ["a", "c"]
    assert counted == dropped


def test_a_question_that_only_others_answered_is_kept():
    (group,), _ = groups_of(drop(answer=answer(), validated_answers=[answer(number="2")]))
    assert (group.questions[1].answers, group.questions[1].category) == (("2",), "number")


def test_equal_passages_are_one_document():
    data = {**drop(), "history_2": copy.deepcopy(SECTION)}
    for question in data["history_2"]["qa_pairs"]:
        question["query_id"] += "2"
    groups, _ = groups_of(data)
    assert len(groups) == 2
    assert len({group.document for group in groups}) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query_id": "a"}, r"qa_pairs\[1\]: id 'a' occurs twice, first at .*history_1\.qa_pairs\[0\]"),
        ({"answer": "2"}, r"qa_pairs\[1\]\.answer: expected an object, found str"),
        ({"answer": {"text": "2"}}, r"qa_pairs\[1\]\.answer: expected an object with number, spans or date"),
        ({"answer": {"spans": "Ann"}}, r"qa_pairs\[1\]\.answer\.spans: expected a list, found str"),
        ({"validated_answers": [3]}, r"qa_pairs\[1\]\.validated_answers\[0\]: expected an object with number"),
        ({"question": None}, r"qa_pairs\[1\]\.question: expected a text, found NoneType"),
    ],
)
def test_another_schema_is_an_error_that_names_the_line(tmp_path, changes, message):
    path = write(tmp_path, drop(**changes))
    lines = path.read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines, start=1) if line == "   {"]
    with pytest.raises(DataError, match=rf"f\.json:\d+: history_1\.{message}") as error:
        read_drop(path, Intake())
    assert starts[1] <= int(str(error.value).removeprefix(f"{path}:").split(":")[0]) < starts[2]


def test_a_list_a_truncated_file_and_another_encoding_are_errors(tmp_path):
    with pytest.raises(DataError, match=r"f\.json:1: expected an object of passages, found list"):
        read_drop(write(tmp_path, []), Intake())
    path = write(tmp_path, drop())
    path.write_text(path.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    with pytest.raises(DataError, match=r"f\.json:\d+: not valid JSON"):
        read_drop(path, Intake())
    path.write_bytes('{"é": {}}'.encode("latin-1"))
    with pytest.raises(DataError, match=r"f\.json:1: not UTF-8"):
        read_drop(path, Intake())


def hub_rows(section):
    """What EleutherAI/drop makes of a passage."""
    for pair in section["qa_pairs"]:
        validated = pair.get("validated_answers", [])
        yield {
            "section_id": "history_1",
            "passage": section["passage"],
            "question": pair["question"],
            "query_id": pair["query_id"],
            "answer": pair["answer"],
            "validated_answers": {name: [given[name] for given in validated] for name in answer()},
        }


def test_rows_of_the_hub_become_the_same_groups():
    assert drop_rows(hub_rows(SECTION), "hub", Intake()) == groups_of(drop())[0]


def test_rows_without_separate_answers_are_an_error():
    row = {"passage": "p", "query_id": "a", "question": "q?", "answers_spans": {"spans": ["x"], "types": ["span"]}}
    with pytest.raises(DataError, match=r"hub row 0: no field 'answer'\. It has: .*answers_spans"):
        drop_rows([row], "hub", Intake())


def test_a_prompt():
    (group,), _ = groups_of(drop())
    context, first, *_ = render_group(group, DROP.template)
    assert context + first == "Passage: Ann and Bob met on 3 May 1611.\nQuestion: Who met?\nAnswer: Ann; Bob"


@pytest.mark.skipif(not SAMPLE.is_file(), reason="no ../shared/data/fixtures/drop.json beside the repository")
def test_the_real_sample_is_read_whole():
    intake = Intake()
    groups = read_drop(SAMPLE, intake)
    assert [len(group.questions) for group in groups] == [1, 3, 14]
    assert +intake.dropped == {"duplicate_questions": 1}
    assert len({group.document for group in groups}) == 3
    assert Counter(question.category for group in groups for question in group.questions) == {"number": 13, "span": 5}
    assert groups[0].questions[0].answers == ("sixth terminal",)
    assert [question.answers for question in groups[1].questions] == [("2",), ("2",), ("6",)]
