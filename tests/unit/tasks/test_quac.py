import copy
import json
from pathlib import Path

import pytest

from pmind.errors import DataError
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import render_group
from pmind.tasks.quac import QUAC, quac_groups, quac_rows, read_quac

SAMPLE = Path(__file__).resolve().parents[4] / "shared" / "data" / "fixtures" / "quac_sample.json"


def entry(number, question, answers, yesno="x", original=None):
    return {
        "id": f"C_1_q#{number}",
        "question": question,
        "answers": [{"text": text, "answer_start": 0} for text in answers],
        "orig_answer": {"text": original or answers[-1], "answer_start": 0},
        "yesno": yesno,
        "followup": "m",
    }


ARTICLE = {
    "title": "Orin",
    "section_title": "Youth",
    "background": "Orin was a painter.",
    "paragraphs": [
        {
            "id": "C_1",
            "context": "Orin was born in Torvale. He painted. CANNOTANSWER",
            "qas": [
                entry(0, "Where was he born?", ["in Torvale", "Torvale", "in Torvale"], original="Torvale"),
                entry(1, "Did he paint?", ["He painted.", "CANNOTANSWER", "painted"], "y"),
                entry(2, "Did he sing?", ["CANNOTANSWER", "He painted."], "n"),
            ],
        }
    ],
}


def quac(**changes):
    data = {"data": [copy.deepcopy(ARTICLE)]}
    data["data"][0]["paragraphs"][0]["qas"][1] |= changes
    return data


def groups_of(data):
    intake = Intake()
    return quac_groups(data, "f.json", intake), +intake.dropped


def write(tmp_path, data):
    (tmp_path / "f.json").write_text(json.dumps(data, indent=1), encoding="utf-8")
    return tmp_path / "f.json"


def test_a_conversation_becomes_a_group_in_its_order():
    (group,), dropped = groups_of(quac())
    assert (group.id, group.document) == ("C_1_q#0", "Orin")
    assert group.context == "TITLE: Orin - Youth\nPARAGRAPH: Orin was born in Torvale. He painted."
    assert [(question.id, question.answers, question.category) for question in group.questions] == [
        ("C_1_q#0", ("Torvale", "in Torvale", "in Torvale"), "text"),
        ("C_1_q#1", ("painted", "He painted."), "yes"),
        ("C_1_q#2", ("CANNOTANSWER",), "unanswerable"),
    ]
    assert not dropped


def test_conversations_about_one_article_share_its_document():
    data = quac()
    second = copy.deepcopy(data["data"][0])
    for question in second["paragraphs"][0]["qas"]:
        question["id"] += "b"
    groups, _ = groups_of({"data": [*data["data"], second]})
    assert [group.document for group in groups] == ["Orin", "Orin"]
    assert groups[0].context == groups[1].context


@pytest.mark.parametrize(
    ("changes", "dropped"),
    [
        ({"answers": []}, {"unanswered_questions": 1}),
        ({"answers": [{"text": " "}]}, {"unanswered_questions": 1}),
        ({"question": "Where was he born?"}, {"duplicate_questions": 1}),
    ],
)
def test_what_is_left_out_is_counted(changes, dropped):
    (group,), counted = groups_of(quac(**changes))
    assert [question.id for question in group.questions] == ["C_1_q#0", "C_1_q#2"]
    assert counted == dropped


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "C_1_q#0"}, r"qas\[1\]: id 'C_1_q#0' occurs twice, first at .*qas\[0\]"),
        ({"yesno": "maybe"}, r"qas\[1\]\.yesno: expected one of y, n, x, found 'maybe'"),
        ({"answers": "May"}, r"qas\[1\]\.answers: expected a list, found str"),
        ({"orig_answer": {}}, r"qas\[1\]\.orig_answer: no field 'text'"),
        ({"question": ""}, r"qas\[1\]\.question: is empty"),
    ],
)
def test_another_schema_is_an_error_that_names_the_line(tmp_path, changes, message):
    path = write(tmp_path, quac(**changes))
    lines = path.read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines, start=1) if line == "      {"]
    ends = [number for number, line in enumerate(lines, start=1) if line.startswith("      }")]
    with pytest.raises(DataError, match=rf"f\.json:\d+: data\[0\]\.paragraphs\[0\]\.{message}") as error:
        read_quac(path, Intake())
    assert starts[1] <= int(str(error.value).removeprefix(f"{path}:").split(":")[0]) <= ends[1]


def test_a_truncated_file_and_another_encoding_are_errors(tmp_path):
    path = write(tmp_path, quac())
    path.write_text(path.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    with pytest.raises(DataError, match=r"f\.json:\d+: not valid JSON"):
        read_quac(path, Intake())
    path.write_bytes('{"data": ["é"]}'.encode("utf-16"))
    with pytest.raises(DataError, match=r"f\.json:1: not UTF-8"):
        read_quac(path, Intake())


ROW = {
    "dialogue_id": "C_1",
    "wikipedia_page_title": "Orin",
    "background": "Orin was a painter.",
    "section_title": "Youth",
    "context": "Orin was born in Torvale. He painted. CANNOTANSWER",
    "turn_ids": ["C_1_q#0", "C_1_q#1", "C_1_q#2"],
    "questions": ["Where was he born?", "Did he paint?", "Did he sing?"],
    "followups": [2, 2, 2],
    "yesnos": [2, 0, 1],
    "answers": {
        "texts": [
            ["in Torvale", "Torvale", "in Torvale"],
            ["He painted.", "CANNOTANSWER", "painted"],
            ["CANNOTANSWER", "He painted."],
        ],
        "answer_starts": [[14, 17, 14], [26, 38, 29], [38, 26]],
    },
    "orig_answers": {"texts": ["Torvale", "painted", "He painted."], "answer_starts": [17, 29, 26]},
}


def test_rows_of_the_hub_become_the_same_groups():
    assert quac_rows([ROW], "hub validation", Intake()) == groups_of(quac())[0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"text": "x"}, "hub row 0: no field 'context'"),
        ({**ROW, "yesnos": [2]}, "hub row 0: turn_ids, questions, yesnos, .* are not of one length"),
        ({**ROW, "yesnos": [2, 0, 3]}, r"hub row 0\.qas\[2\]\.yesno: expected one of y, n, x, found '3'"),
        ({**ROW, "questions": ["Where?", "Who?", ""]}, r"hub row 0\.qas\[2\]\.question: is empty"),
    ],
)
def test_a_row_of_another_schema_is_named(row, message):
    with pytest.raises(DataError, match=message):
        quac_rows([row], "hub", Intake())


def test_a_prompt_names_whom_the_questions_are_about():
    (group,), _ = groups_of(quac())
    context, first, *_ = render_group(group, QUAC.template)
    assert context + first == (
        "TITLE: Orin - Youth\nPARAGRAPH: Orin was born in Torvale. He painted.\n\nQ: Where was he born?\n\nA: Torvale"
    )


@pytest.fixture
def sample():
    if not SAMPLE.is_file():
        pytest.skip("no ../shared/data/fixtures/quac_sample.json beside the repository")
    return json.loads(SAMPLE.read_text(encoding="utf-8"))


def test_the_real_sample_is_read_whole(sample, tmp_path):
    intake = Intake()
    (group,) = read_quac(write(tmp_path, {"data": sample["data"][:1]}), intake)
    assert (group.id, group.document) == ("C_ec865aa8cf664d4d879ed364dd7048ed_1_q#0", "The break")
    assert not +intake.dropped
    assert [question.text for question in group.questions] == [
        "What was the break?",
        "What did the break consist of?",
        "Did people like it?",
        "How did it lead to a cultural evolution?",
        "Did he influence others?",
        "What else is interesting in this article?",
    ]
    assert [len(question.answers) for question in group.questions] == [1, 5, 4, 4, 3, 5]
    assert group.questions[1].answers[0].startswith("Specifically, DJ Kool Herc:")  # the original one
    assert group.context.endswith("signaling the birth of hip hop.")
    assert all(answer in group.context for question in group.questions for answer in question.answers)


def test_the_real_sample_holds_its_conversation_twice(sample):
    with pytest.raises(
        DataError, match=r"quac_sample\.json:180: data\[1\]\.paragraphs\[0\]\.qas\[0\]: id 'C_ec8.*twice"
    ):
        read_quac(SAMPLE, Intake())
