import json
from pathlib import Path

import pytest

from pmind.corpora.places import SchemaError
from pmind.errors import DataError
from pmind.tasks.boolq import BOOLQ, boolq_rows, read_boolq
from pmind.tasks.intake import Intake

BOOLQ_DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "boolq"
PASSAGE = "Torvale -- Torvale is a town with a red door. "
ROWS = [
    {"question": "is torvale a town", "passage": PASSAGE, "idx": 0, "label": True},
    {"question": "is ada a town", "passage": "Ada -- Ada paints.", "idx": 1, "label": False},
    {"question": "is the door blue", "passage": PASSAGE, "idx": 2, "label": False},
]
PROMPT = """\
Torvale -- Torvale is a town with a red door.
Question: is torvale a town?
Answer: yes"""


def write_lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_questions_on_one_passage_become_a_group(tmp_path):
    town, ada = read_boolq(write_lines(tmp_path / "val.jsonl", *ROWS), Intake())
    assert (town.id, town.document, town.context) == ("val-0", "Torvale", PASSAGE.strip())
    assert [(q.id, q.options, q.correct, q.answers) for q in town.questions] == [
        ("val-0", ("no", "yes"), (1,), ("yes",)),
        ("val-2", ("no", "yes"), (0,), ("no",)),
    ]
    assert (ada.id, ada.document) == ("val-1", "Ada")


def test_passages_of_one_article_are_one_document(tmp_path):
    rows = [ROWS[0], {**ROWS[1], "passage": "Torvale -- It lies by the sea."}]
    groups = read_boolq(write_lines(tmp_path / "val.jsonl", *rows), Intake())
    assert [group.document for group in groups] == ["Torvale", "Torvale"]


def test_the_authors_own_files_name_the_article_apart(tmp_path):
    row = {"question": "is torvale a town", "title": "Torvale", "answer": True, "passage": "It is a town."}
    (group,) = read_boolq(write_lines(tmp_path / "dev.jsonl", row), Intake())
    assert (group.id, group.document, group.context) == ("dev-0", "Torvale", "It is a town.")
    assert group.questions[0].answers == ("yes",)


def test_the_prompt_is_that_of_the_evaluation_harness(tmp_path):
    group, _ = read_boolq(write_lines(tmp_path / "val.jsonl", *ROWS), Intake())
    template, question = BOOLQ.template, group.questions[0]
    rendered = template.render_context(group) + template.render_prompt(question) + template.render_answer(question)
    assert rendered == PROMPT
    assert template.render_options(question) == [" no", " yes"]


def test_a_question_without_label_is_left_out_and_counted(tmp_path):
    row = {name: ROWS[0][name] for name in ("question", "passage", "idx")}
    intake = Intake()
    (group,) = read_boolq(write_lines(tmp_path / "test.jsonl", row, ROWS[1]), intake)
    assert group.id == "test-1"
    assert +intake.dropped == {"unanswered_questions": 1}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("text", r"val\.jsonl:4: expected an object, found str"),
        ({"question": "is it", "context": "x"}, r"val\.jsonl:4: no field 'passage'. It has: question, context"),
        ({**ROWS[0], "idx": 3, "label": "yes"}, r"val\.jsonl:4: expected true or false as the answer, found 'yes'"),
        (ROWS[1], r"val\.jsonl:4: id 'val-1' occurs twice, first at .*val\.jsonl:2"),
    ],
)
def test_schema_errors_name_the_line(tmp_path, record, message):
    with pytest.raises(SchemaError, match=message):
        read_boolq(write_lines(tmp_path / "val.jsonl", *ROWS, record), Intake())


def test_a_truncated_or_wrongly_encoded_file_is_named_with_its_line(tmp_path):
    path = write_lines(tmp_path / "val.jsonl", *ROWS)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"val\.jsonl:3: not valid JSON"):
        read_boolq(path, Intake())
    path.write_bytes(b'{"question": "caf\xe9"}')
    with pytest.raises(DataError, match=r"val\.jsonl:1: not UTF-8 text"):
        read_boolq(path, Intake())


def test_rows_of_the_hub_become_the_same_groups_with_either_name_of_the_answer(tmp_path):
    plain = [{"question": row["question"], "passage": row["passage"], "answer": row["label"]} for row in ROWS]
    glue = [{**row, "label": int(row["label"])} for row in ROWS]
    expected = read_boolq(write_lines(tmp_path / "val.jsonl", *ROWS), Intake())
    for rows in (plain, glue):
        groups = boolq_rows(rows, "val", Intake())
        assert groups == expected
    intake = Intake()
    assert boolq_rows([{**row, "label": -1} for row in glue], "hub test", intake) == []
    assert +intake.dropped == {"unanswered_questions": 3}
    with pytest.raises(SchemaError, match=r"hub row 0: no field 'question'. It has: text"):
        boolq_rows([{"text": "x"}], "hub", Intake())


@pytest.mark.skipif(not BOOLQ_DATA.is_dir(), reason="real data files are not beside the repository")
def test_real_files_are_read_whole():
    intake = Intake()
    groups = read_boolq(BOOLQ_DATA / "val.jsonl.xz", intake)
    questions = [question for group in groups for question in group.questions]
    assert (len(groups), len(questions), len({group.document for group in groups})) == (2939, 3270, 2651)
    assert round(sum(question.answers == ("yes",) for question in questions) / 3270, 2) == 0.62  # the paper's majority
    assert not +intake.dropped
    assert read_boolq(BOOLQ_DATA / "test.jsonl.xz", intake) == []
    assert +intake.dropped == {"unanswered_questions": 3245}
