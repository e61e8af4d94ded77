import json
from pathlib import Path

import pytest

from pmind.corpora.places import SchemaError
from pmind.errors import DataError
from pmind.tasks.intake import Intake
from pmind.tasks.race import RACE, race_rows, read_race

RACE_DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "race"
ARTICLE = {
    "id": "high7.txt",
    "article": "Orin paints doors.\nHe lives in Torvale. ",
    "questions": ["Orin is a   _  .", "Where does he live?"],
    "options": [["cook", "painter", "poet", "guard"], ["Ada", "Kell", "Bree ", " Torvale"]],
    "answers": ["B", "D"],
}
PROMPT = """\
Article: Orin paints doors.
He lives in Torvale.

Question: Where does he live?
A. Ada
B. Kell
C. Bree
D. Torvale
Answer: D"""


def write_lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["7.txt", "dev_high.jsonl"])
def test_an_article_becomes_a_group_with_its_level(tmp_path, name):
    intake = Intake()
    (group,) = read_race(write_lines(tmp_path / name, ARTICLE), intake)
    first, second = group.questions
    assert (group.id, group.context) == ("high7.txt-0", "Orin paints doors.\nHe lives in Torvale.")
    assert (first.id, first.text, first.options) == ("high7.txt-0", "Orin is a   _  .", tuple(ARTICLE["options"][0]))
    assert (first.correct, first.answers, second.correct, second.answers) == ((1,), ("painter",), (3,), ("Torvale",))
    assert {first.category, second.category} == {"high"}
    assert not +intake.dropped


def test_the_prompt_shows_article_and_lettered_options(tmp_path):
    (group,) = read_race(write_lines(tmp_path / "7.txt", ARTICLE), Intake())
    template, question = RACE.template, group.questions[1]
    rendered = template.render_context(group) + template.render_prompt(question) + template.render_answer(question)
    assert rendered == PROMPT


def test_equal_articles_are_one_document_though_two_groups(tmp_path):
    again = {**ARTICLE, "id": "middle9.txt"}
    first, second = read_race(write_lines(tmp_path / "a.jsonl", ARTICLE, again), Intake())
    assert first.document == second.document
    assert second.questions[0].category == "middle"


def test_blank_and_repeated_questions_are_left_out_and_counted(tmp_path):
    record = {
        **ARTICLE,
        "questions": ["Who?", " ", "Who? ", "Who?"],
        "options": [["a", "b"], ["c", "d"], ["a ", "b"], ["e", "f"]],
        "answers": ["A", "B", "B", "A"],
    }
    intake = Intake()
    (group,) = read_race(write_lines(tmp_path / "a.jsonl", record), intake)
    assert [question.options for question in group.questions] == [("a", "b"), ("e", "f")]
    assert +intake.dropped == {"blank_questions": 1, "duplicate_questions": 1}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ([], r"a\.jsonl:2: expected an object, found list"),
        ({**ARTICLE, "article": 3}, r"a\.jsonl:2\.article: expected a text, found int"),
        ({"id": "high8.txt", "passage": ""}, r"a\.jsonl:2: no field 'article'. It has: id, passage"),
        ({**ARTICLE, "answers": ["B"]}, r"a\.jsonl:2: expected as many of each field, found question 2, .* answer 1"),
        (
            {**ARTICLE, "id": "high8", "answers": ["B", "E"]},
            r"a\.jsonl:2 question 1: the answer is none of the 4 options",
        ),
        (
            {**ARTICLE, "id": "high8", "answers": ["", "D"]},
            r"a\.jsonl:2 question 0: the answer is none of the 4 options",
        ),
        ({**ARTICLE, "id": "high8", "options": [["a", 5], ["b"]]}, r"a\.jsonl:2 question 0: option 1 is 5, expected a"),
        (ARTICLE, r"a\.jsonl:2 question 0: id 'high7\.txt-0' occurs twice, first at .*a\.jsonl:1 question 0"),
    ],
)
def test_schema_errors_name_line_and_question(tmp_path, record, message):
    with pytest.raises(SchemaError, match=message):
        read_race(write_lines(tmp_path / "a.jsonl", ARTICLE, record), Intake())


def test_a_truncated_or_wrongly_encoded_file_is_named_with_its_line(tmp_path):
    path = write_lines(tmp_path / "a.jsonl", ARTICLE, ARTICLE)
    path.write_text(path.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    with pytest.raises(DataError, match=r"a\.jsonl:2: not valid JSON"):
        read_race(path, Intake())
    path.write_bytes(json.dumps({"article": "café"}, ensure_ascii=False).encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.jsonl:1: not UTF-8 text"):
        read_race(path, Intake())


def test_rows_of_the_hub_become_the_same_groups(tmp_path):
    names = ("question", "options", "answer")
    columns = zip(ARTICLE["questions"], ARTICLE["options"], ARTICLE["answers"], strict=True)
    rows = [
        {"example_id": "high7.txt", "article": ARTICLE["article"], **dict(zip(names, row, strict=True))}
        for row in columns
    ]
    from_file = read_race(write_lines(tmp_path / "7.txt", ARTICLE), Intake())
    assert race_rows(rows, "ehovy/race:all test", Intake()) == from_file


def test_a_row_of_another_schema_is_named():
    with pytest.raises(SchemaError, match=r"hub row 0: no field 'example_id'. It has: text"):
        race_rows([{"text": "x"}], "hub", Intake())


def test_the_files_of_the_release_are_found_by_level(tmp_path):
    for name in ("train/high/1.txt", "train/middle/2.txt", "README.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert sorted(path.name for path in tmp_path.rglob(RACE.files[0])) == ["1.txt", "2.txt"]


@pytest.mark.skipif(not RACE_DATA.is_dir(), reason="real data files are not beside the repository")
def test_real_files_are_read_whole():
    counts, documents = {}, set()
    every = Intake()
    for path in sorted(RACE_DATA.iterdir()):
        groups = read_race(path, every)
        documents |= {group.document for group in groups}
        counts[path.name] = (len(groups), sum(len(group.questions) for group in groups))
        level = "high" if "high" in path.name else "middle"
        assert {question.category for group in groups for question in group.questions} == {level}
    assert counts == {
        "dev_high.jsonl.xz": (1021, 3451),
        "dev_middle.jsonl.xz": (368, 1436),
        "train_high.jsonl.xz": (5000, 17080),
        "train_middle.jsonl.xz": (4000, 15984),
    }
    assert not +every.dropped
    assert len(documents) == 10379  # ten articles come twice, with other blanks or punctuation
    assert round((3451 + 1436 + 17080 + 15984) / 10389, 1) == 3.7
