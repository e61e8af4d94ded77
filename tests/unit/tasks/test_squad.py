import copy
from collections import Counter
from pathlib import Path

import pytest

from pmind.corpora.builtin_reading import reading_task
from pmind.corpora.sources import read_json
from pmind.errors import DataError
from pmind.tasks.records import read_groups, write_groups
from pmind.tasks.squad import rows_to_squad, squad_groups

SHARED = Path(__file__).parents[3] / "../shared/data"
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
    dropped = Counter()
    return squad_groups(data, "f.json", dropped), dropped


def small(**changes):
    data = copy.deepcopy(SMALL)
    data["data"][0]["paragraphs"][0]["qas"][0] |= changes
    return data


def test_a_paragraph_becomes_a_group():
    (group,), dropped = groups_of(SMALL)
    assert (group.id, group.document, group.context) == ("a", "Torvale", "The painter Orin.")
    assert [(q.id, q.text, q.answers, q.options, q.correct) for q in group.questions] == [
        ("a", "Who?", ("Orin",), (), None)
    ]
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
    assert dropped == {"unanswerable_questions": 1}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], r"f\.json: expected an object, found list"),
        ({"version": "1"}, r"f\.json: no field 'data'. It has: version"),
        ({"data": [{"title": "T"}]}, r"f\.json: data\[0\]: no field 'paragraphs'"),
        ({"data": [{"paragraphs": [{"qas": 3}]}]}, r"data\[0\]\.paragraphs\[0\]\.qas: expected a list, found int"),
        (small(question=7), r"paragraphs\[0\]\.qas\[0\]\.question: expected a text, found int"),
        (small(question=" "), r"qas\[0\]: the question is empty"),
        (small(answers=[{"txt": "x"}]), r"qas\[0\]\.answers\[0\]: no field 'text'"),
        ({"data": SMALL["data"] * 2}, r"data\[1\]\.paragraphs\[0\]\.qas\[0\]: id 'a' occurs twice"),
    ],
)
def test_schema_errors_name_file_and_place(data, message):
    with pytest.raises(DataError, match=message):
        groups_of(data)


def test_rows_of_the_hub_become_the_same_groups():
    data = reading_task("test", 8, seed=1)
    rows = [
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
    assert groups_of(rows_to_squad(rows, "hub")) == groups_of(data)


def test_a_row_of_another_schema_is_named():
    with pytest.raises(DataError, match="hub row 0: no field 'title'"):
        rows_to_squad([{"text": "x"}], "hub")


@pytest.mark.skipif(not SHARED.is_dir(), reason="real data files are not beside the repository")
@pytest.mark.parametrize(
    ("file", "paragraphs", "questions"),
    [
        ("squad/squad_train-v1.1.first_articles.json.xz", 678, 4370),
        ("xquad/xquad.en.json.xz", 180, 902),
        ("xquad/xquad.zh.json.xz", 240, 1190),
        ("cmrc2018/cmrc2018_dev.json.xz", 848, 3219),
        ("drcd/DRCD_dev.json.xz", 1000, 3524),
    ],
)
def test_real_files_are_read_whole(file, paragraphs, questions):
    groups, dropped = groups_of(read_json(SHARED / file))
    assert len(groups) == paragraphs
    assert sum(len(group.questions) for group in groups) + dropped.total() == questions
    assert dropped.total() < 20
    assert all(answer for group in groups for question in group.questions for answer in question.answers)
