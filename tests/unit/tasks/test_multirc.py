import json
from pathlib import Path

import pytest

from pmind.corpora.places import SchemaError
from pmind.errors import DataError
from pmind.tasks.intake import Intake
from pmind.tasks.multirc import MULTIRC, multirc_rows, read_multirc

MULTIRC_DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "multirc"
PROMPT = """\
Orin and Ada paint.

Question: Who paints?
A. Ada
B. Kell
C. Orin
The letters of all correct options, for example ACD: AC"""


def question(idx, labels, text="Who paints?", texts=("Ada", "Kell", " Orin")):
    columns = zip(texts, range(len(texts)), labels, strict=True)
    answers = [dict(zip(("text", "idx", "label"), column, strict=True)) for column in columns]
    return {"question": text, "answers": answers, "idx": idx}


def passage(*questions, text="Orin and Ada paint. "):
    return {"idx": 0, "version": 1.1, "passage": {"text": text, "questions": list(questions)}}


def write_lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def read(tmp_path, *records):
    intake = Intake()
    return read_multirc(write_lines(tmp_path / "val.jsonl", *records), intake), +intake.dropped


def test_a_paragraph_becomes_a_group_and_a_question_keeps_all_right_options(tmp_path):
    (group,), dropped = read(tmp_path, passage(question(4, (1, 0, 1)), question(5, (0, 1, 0), text="Who does not?")))
    first, second = group.questions
    assert (group.id, group.context) == ("val-4", "Orin and Ada paint.")
    assert (first.options, first.correct, first.answers) == (("Ada", "Kell", "Orin"), (0, 2), ("Ada", "Orin"))
    assert (second.id, second.correct, second.letters) == ("val-5", (1,), "B")
    assert not dropped


def test_the_prompt_asks_for_all_letters_at_once(tmp_path):
    (group,), _ = read(tmp_path, passage(question(4, (1, 0, 1))))
    template, asked = MULTIRC.template, group.questions[0]
    rendered = template.render_context(group) + template.render_prompt(asked) + template.render_answer(asked)
    assert rendered == PROMPT


def test_questions_that_cannot_be_scored_are_left_out_and_counted(tmp_path):
    hidden = question(1, (1, 0, 1))
    for answer in hidden["answers"]:
        del answer["label"]
    many = question(3, [1] * 27, texts=[str(number) for number in range(27)])
    groups, dropped = read(tmp_path, passage(hidden, question(2, (0, 0, 0)), many))
    assert [(asked.answers, asked.correct) for group in groups for asked in group.questions] == [((), ())]
    assert dropped == {"unanswered_questions": 1, "questions_with_too_many_options": 1}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"idx": 1, "text": "x"}, r"val\.jsonl:2: no field 'passage'. It has: idx, text"),
        ({"passage": {"text": "x"}}, r"val\.jsonl:2\.passage: no field 'questions'"),
        (passage({"question": "Who?", "answers": []}), r"val\.jsonl:2\.passage\.questions\[0\]: no field 'idx'"),
        (passage(question(9, (1, "yes", 0))), r"questions\[0\]\.answers\[1\]\.label: expected 0 or 1, found 'yes'"),
        (
            passage(question(9, (1, 0), texts=("a", 7))),
            r"questions\[0\]\.answers\[1\]\.text: expected a text, found int",
        ),
        (passage(question(4, (1, 0, 1))), r"val\.jsonl:2\.passage\.questions\[0\]: id 'val-4' occurs twice, first at"),
    ],
)
def test_schema_errors_name_line_and_place(tmp_path, record, message):
    with pytest.raises(SchemaError, match=message):
        read(tmp_path, passage(question(4, (1, 0, 1))), record)


def test_a_truncated_or_wrongly_encoded_file_is_named_with_its_line(tmp_path):
    path = write_lines(tmp_path / "val.jsonl", passage(question(4, (1, 0, 1))))
    path.write_bytes(path.read_bytes() + b'{"idx": 1, "passage": {"text"')
    with pytest.raises(DataError, match=r"val\.jsonl:2: not valid JSON .* The file ends too early"):
        read_multirc(path, Intake())
    path.write_bytes(b'{"passage": "caf\xe9"}')
    with pytest.raises(DataError, match=r"val\.jsonl:1: not UTF-8 text"):
        read_multirc(path, Intake())


def test_rows_of_the_hub_are_gathered_by_paragraph_and_question():
    rows = [
        {"paragraph": "Orin and Ada paint.", "question": asked, "answer": answer, "label": label}
        | {"idx": {"paragraph": 0, "question": index, "answer": number}}
        for index, asked in enumerate(("Who paints?", "Who does not?"))
        for number, (answer, label) in enumerate((("Ada", 1 - index), ("Kell", index), ("Orin", 1 - index)))
    ]
    (group,) = multirc_rows(rows, "hub validation", Intake())
    assert (group.context, [asked.correct for asked in group.questions]) == ("Orin and Ada paint.", [(0, 2), (1,)])
    assert [asked.id for asked in group.questions] == ["hub validation-0", "hub validation-1"]
    intake = Intake()
    assert multirc_rows([{**row, "label": -1} for row in rows], "hub test", intake) == []
    assert +intake.dropped == {"unanswered_questions": 2}


def test_a_row_of_another_schema_is_named():
    with pytest.raises(SchemaError, match=r"hub row 0: no field 'idx'. It has: text"):
        multirc_rows([{"text": "x"}], "hub", Intake())


@pytest.mark.skipif(not MULTIRC_DATA.is_dir(), reason="real data files are not beside the repository")
def test_real_files_are_read_whole():
    intake = Intake()
    groups = read_multirc(MULTIRC_DATA / "train.jsonl.xz", intake)
    questions = [question for group in groups for question in group.questions]
    assert (len(groups), len(questions), len({group.document for group in groups})) == (456, 5131, 455)
    assert not +intake.dropped
    assert round(len(questions) / len(groups), 1) == 11.3
    assert sum(len(question.correct) > 1 for question in questions) > 3000
    assert read_multirc(MULTIRC_DATA / "test.jsonl.xz", intake) == []
    assert intake.dropped["unanswered_questions"] == 1820
