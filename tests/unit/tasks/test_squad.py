import copy
import json
import lzma
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from pmind.corpora.builtin_reading import reading_task
from pmind.errors import DataError
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import render_group
from pmind.tasks.records import read_groups, write_groups
from pmind.tasks.squad import CMRC, DRCD, SQUAD, XQUAD, read_squad, squad_groups, squad_rows

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
SMALL = {
    "data": [
        {
            "title": "Torvale",
            "paragraphs": [
                {
                    "context": "The painter Orin.",
                    "qas": [{"id": "a", "question": "Who?", "answers": [{"text": "Orin"}, {"text": "Orin"}]}],
                }
            ],
        }
    ]
}


def groups_of(data):
    intake = Intake()
    return squad_groups(data, "f.json", intake), +intake.dropped


def small(**changes):
    data = copy.deepcopy(SMALL)
    data["data"][0]["paragraphs"][0]["qas"][0] |= changes
    return data


def read(file):
    if not (SHARED / file).is_file():
        pytest.skip(f"no ../shared/data/{file} beside the repository")
    intake = Intake()
    return read_squad(SHARED / file, intake), +intake.dropped


def test_a_paragraph_becomes_a_group():
    (group,), dropped = groups_of(SMALL)
    assert (group.id, group.document, group.context) == ("a", "Torvale", "The painter Orin.")
    assert [(q.id, q.text, q.answers, q.options, q.correct, q.category) for q in group.questions] == [
        ("a", "Who?", ("Orin",), (), (), "")
    ]
    assert not dropped


def test_an_impossible_question_is_kept_without_answers():
    plausible = [{"text": "Orin", "answer_start": 12}]
    data = small(is_impossible=True, answers=plausible)  # some tools put the plausible ones here
    data["data"][0]["paragraphs"][0]["qas"].append(
        {"id": "b", "question": "What?", "answers": [{"text": " painter "}], "is_impossible": False}
    )
    (group,), dropped = groups_of(data)
    assert [(q.answers, q.category) for q in group.questions] == [((), "NoAns"), (("painter",), "HasAns")]
    assert not dropped


def test_the_builtin_task_is_valid_and_survives_a_file(tmp_path):
    groups, dropped = groups_of(reading_task("test", 20, seed=1))
    assert len(groups) == 20
    assert not dropped
    write_groups(tmp_path / "groups.jsonl", groups)
    assert read_groups(tmp_path / "groups.jsonl") == groups


def test_a_repeated_question_is_left_out_and_counted():
    data = small()
    data["data"][0]["paragraphs"][0]["qas"].append({"id": "b", "question": " Who?", "answers": [{"text": "Ada"}]})
    (group,), dropped = groups_of(data)
    assert group.questions[0].answers == ("Orin",)
    assert dropped == {"duplicate_questions": 1}


@pytest.mark.parametrize("answers", [[], [{"text": " "}]])
def test_a_question_without_answer_is_left_out_and_counted(answers):
    groups, dropped = groups_of(small(answers=answers))
    assert groups == []
    assert dropped == {"unanswered_questions": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"f\.json: expected an object, found list"),
        ({"version": "1"}, r"f\.json: no field 'data'. It has: version"),
        ({"data": [{"title": "T"}]}, r"f\.json: data\[0\]: no field 'paragraphs'"),
        ({"data": [{"paragraphs": [{"qas": 3}]}]}, r"data\[0\]\.paragraphs\[0\]\.qas: expected a list, found int"),
        (small(question=7), r"paragraphs\[0\]\.qas\[0\]\.question: expected a text, found int"),
        (small(answers=[{"txt": "x"}]), r"qas\[0\]\.answers\[0\]: no field 'text'"),
        (small(is_impossible="no"), r"qas\[0\]\.is_impossible: expected true or false, found 'no'"),
        (
            {"data": SMALL["data"] * 2},
            r"data\[1\]\.paragraphs\[0\]\.qas\[0\]: id 'a' occurs twice, first at .*data\[0\]",
        ),
    ],
)
def test_schema_errors_name_file_and_place(data, message):
    with pytest.raises(DataError, match=message):
        groups_of(data)


@pytest.mark.parametrize("name", ["f.json", "f.json.xz"])
def test_errors_of_a_file_name_its_line(tmp_path, name):
    text = json.dumps({"data": SMALL["data"] * 2}, indent=1)
    line = text.splitlines().index('       "id": "a",', 15)  # the question's own line is the one before
    path = tmp_path / name
    with (lzma.open if name.endswith("xz") else open)(path, "wt", encoding="utf-8") as file:
        file.write(text)
    with pytest.raises(DataError, match=rf"{name}:{line}: data\[1\]\.paragraphs\[0\]\.qas\[0\]: id 'a' occurs twice"):
        read_squad(path, Intake())


def test_a_truncated_file_names_its_last_line(tmp_path):
    (tmp_path / "f.json").write_text(json.dumps(SMALL, indent=1)[:-20], encoding="utf-8")
    with pytest.raises(DataError, match=r"f\.json:\d+: not valid JSON"):
        read_squad(tmp_path / "f.json", Intake())


def test_another_encoding_is_an_error(tmp_path):
    (tmp_path / "f.json").write_bytes('{"data": "é"}'.encode("latin-1"))
    with pytest.raises(DataError, match=r"f\.json:1: not UTF-8"):
        read_squad(tmp_path / "f.json", Intake())


def hub_rows(data):
    """What the Hub makes of a file: one row for each question, answers as an object of columns."""
    return [
        {
            "id": question["id"],
            "title": article["title"],
            "context": paragraph["context"],
            "question": question["question"],
            "answers": {"text": [answer["text"] for answer in question["answers"]], "answer_start": [0]},
        }
        for article in data["data"]
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
    ]


def test_rows_of_the_hub_become_the_same_groups():
    data = reading_task("test", 8, seed=1)
    of_rows = squad_rows(hub_rows(data), "hub", Intake())
    of_file, _ = groups_of(data)
    assert [
        replace(group, questions=tuple(replace(question, category="") for question in group.questions))
        for group in of_rows
    ] == of_file
    assert {question.category for group in of_rows for question in group.questions} == {"HasAns"}


def test_a_row_without_answers_is_an_impossible_question():
    rows = hub_rows(small(answers=[]))
    (group,) = squad_rows(rows, "hub", Intake())
    assert [(q.answers, q.category) for q in group.questions] == [((), "NoAns")]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"text": "x"}], "hub row 0: no field 'answers'"),
        ([{"answers": ["x"]}], r"hub row 0\.answers: expected an object, found list"),
        (hub_rows(SMALL) * 2, "hub row 1: id 'a' occurs twice, first at hub row 0"),
    ],
)
def test_a_row_of_another_schema_is_named(rows, message):
    with pytest.raises(DataError, match=message):
        squad_rows(rows, "hub", Intake())


def test_prompts_in_english_and_chinese():
    (group,), _ = groups_of(SMALL)
    assert "".join(render_group(group, SQUAD.template)) == "The painter Orin.\n\nQuestion: Who?\nAnswer: Orin"
    assert XQUAD.template == SQUAD.template
    (group,), _ = groups_of(small(question="谁？", answers=[{"text": "奥林"}]))
    assert "".join(render_group(group, CMRC.template)) == "The painter Orin.\n\n问题：谁？\n答案：奥林"
    assert DRCD.template == CMRC.template
    assert [dataset.scoring for dataset in (SQUAD, XQUAD, CMRC, DRCD)] == ["squad2", "squad2", "cmrc", "cmrc"]


@pytest.mark.parametrize(
    ("file", "groups", "questions", "documents", "impossible", "loose", "ratio", "left_out"),
    [
        ("squad/squad_dev-v1.1.reconstructed.json.xz", 1508, 7750, 36, 0, 0, 5.1, {"duplicate_questions": 29}),
        ("squad/squad_train-v1.1.first_articles.json.xz", 678, 4356, 12, 0, 0, 6.4, {"duplicate_questions": 14}),
        ("squad/squad_dev-v2.0.reconstructed.json.xz", 895, 8682, 26, 4406, 0, 9.7, {"duplicate_questions": 7}),
        ("squad/chrischute_dev-v2.0.json.xz", 527, 4957, 13, 2543, 0, 9.4, {"duplicate_questions": 6}),
        ("xquad/xquad.en.json.xz", 180, 897, 36, 0, 0, 5.0, {"duplicate_questions": 5}),
        ("xquad/xquad.zh.json.xz", 240, 1181, 48, 0, 0, 4.9, {"duplicate_questions": 9}),
        ("cmrc2018/cmrc2018_dev.json.xz", 848, 3219, 848, 0, 177, 3.8, {}),
        ("drcd/DRCD_dev.json.xz", 1000, 3524, 383, 0, 0, 3.5, {}),
        ("fixtures/squad.json", 2, 5, 1, 0, 0, 2.5, {}),
        ("fixtures/quoref_sample.json", 2, 4, 2, 0, 0, 2.0, {}),  # Quoref has SQuAD's schema
    ],
)
def test_real_files_are_read_whole(file, groups, questions, documents, impossible, loose, ratio, left_out):
    found, dropped = read(file)
    asked = [question for group in found for question in group.questions]
    assert (len(found), len(asked), len({group.document for group in found})) == (groups, questions, documents)
    assert len({question.id for question in asked}) == questions
    assert Counter(question.category for question in asked)["NoAns"] == impossible
    assert sum(not question.answers for question in asked) == impossible
    assert round(questions / groups, 1) == ratio
    assert dropped == left_out
    assert sum(answer not in group.context for group in found for q in group.questions for answer in q.answers) == loose


def test_blank_questions_are_left_out():
    groups, dropped = read("cmrc2018/cmrc2018_trial.json.xz")
    assert (len(groups), sum(len(group.questions) for group in groups), dropped["blank_questions"]) == (256, 1000, 2)


def test_a_test_file_with_blank_answers_has_nothing_to_ask():
    assert read("squad/chrischute_test-v2.0.json.xz") == ([], {"unanswered_questions": 3846})


def test_a_real_id_that_occurs_twice_is_named():
    with pytest.raises(DataError, match=r"squad2\.json:21: data\[0\]\.paragraphs\[0\]\.qas\[1\]: id '5733be28"):
        read("fixtures/squad2.json")
