import json
from pathlib import Path

import pytest

from pmind.corpora.places import SchemaError
from pmind.errors import DataError
from pmind.tasks.intake import Intake
from pmind.tasks.quality import (
    QUALITY,
    QUALITY_HARD,
    article_text,
    quality_hard_rows,
    quality_rows,
    read_quality,
    read_quality_hard,
)

QUALITY_DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "quality"
PROMPT = """\
Orin paints.

He lives in Torvale.

Question: Who paints?
A. Ada
B. Orin
C. Kell
D. Bree
Answer: B"""


def entry(number, gold=2, difficult=0, writer="YLZ", **changes):
    return {
        "question": ("Who paints?", "Who does not?", "Where?")[number],
        "question_unique_id": f"52845_{writer}_{number + 1}",
        "options": ["Ada", "Orin ", "Kell", "Bree"],
        "writer_label": 1,
        "gold_label": gold,
        "validation": [{"untimed_annotator_id": "7", "untimed_answer": 2}],
        "speed_validation": [{"speed_annotator_id": "8", "speed_answer": 2}],
        "difficult": difficult,
        **changes,
    }


def article(*questions, writer="YLZ", text="Orin paints.\n\nHe lives in Torvale.\n"):
    return {
        "article_id": "52845",
        "set_unique_id": f"52845_{writer}",
        "batch_num": "23",
        "writer_id": "1021",
        "source": "Gutenberg",
        "title": "The Painter",
        "article": text,
        "questions": list(questions),
        "url": "https://example.org/52845",
        "license": "public domain",
    }


def write_lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_the_sets_of_two_writers_on_one_article_become_one_group(tmp_path):
    other = article(entry(1, gold=4, writer="ABC"), writer="ABC")
    path = write_lines(tmp_path / "QuALITY.v1.0.1.htmlstripped.dev", article(entry(0, difficult=1)), other)
    (group,) = read_quality(path, Intake())
    assert (group.id, group.document) == ("52845_YLZ_1", "52845")
    assert group.context == "Orin paints.\n\nHe lives in Torvale."
    assert [(q.id, q.correct, q.answers, q.category) for q in group.questions] == [
        ("52845_YLZ_1", (1,), ("Orin",), "hard"),
        ("52845_ABC_2", (3,), ("Bree",), "easy"),
    ]


def test_the_hard_subset_counts_what_it_leaves_out(tmp_path):
    path = write_lines(tmp_path / "dev", article(entry(0), entry(1, difficult=1), entry(2)))
    intake = Intake()
    (group,) = read_quality_hard(path, intake)
    assert (group.id, [question.text for question in group.questions]) == ("52845_YLZ_2", ["Who does not?"])
    assert +intake.dropped == {"easy_questions": 2}
    assert QUALITY_HARD.read is read_quality_hard


def test_the_prompt_shows_article_and_lettered_options(tmp_path):
    (group,) = read_quality(write_lines(tmp_path / "dev", article(entry(0))), Intake())
    template, question = QUALITY.template, group.questions[0]
    rendered = template.render_context(group) + template.render_prompt(question) + template.render_answer(question)
    assert rendered == PROMPT


def test_markup_is_stripped_where_the_release_left_it(tmp_path):
    html = """<html><head><title>No</title></head><body><h1>\n The\n Painter</h1><hr class="chap"/>
    <p>Orin<br/>paints &amp; <i>sings</i>.<br/> <br/>He lives.</p><table><tr><td>7</td></tr></table>after</body>"""
    expected = "The Painter\n\nOrin paints & sings.\n\nHe lives.\n\nafter"
    assert article_text(html) == expected
    (group,) = read_quality(write_lines(tmp_path / "dev", article(entry(0), text=html)), Intake())
    assert group.context == expected


def test_a_stripped_article_stays_as_it_is(tmp_path):
    text = "If a < b  and\nb > c."
    (group,) = read_quality(write_lines(tmp_path / "dev", article(entry(0), text=text)), Intake())
    assert group.context == text


def test_the_test_split_has_no_answers(tmp_path):
    hidden = entry(0)
    for name in ("gold_label", "writer_label", "difficult"):
        del hidden[name]
    intake = Intake()
    assert read_quality(write_lines(tmp_path / "test", article(hidden)), intake) == []
    assert +intake.dropped == {"unanswered_questions": 1}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"article": "x"}, r"dev:2: no field 'set_unique_id'. It has: article"),
        (article(entry(0), writer="ABC", text=None), r"dev:2\.article: expected a text, found NoneType"),
        (article(entry(1, gold=5), writer="ABC"), r"dev:2\.questions\[0\]: the answer is none of the 4 options"),
        (article(entry(1, gold=0), writer="ABC"), r"dev:2\.questions\[0\]: the answer is none of the 4 options"),
        (
            article(entry(1, options="ABCD"), writer="ABC"),
            r"dev:2\.questions\[0\]\.options: expected a list, found str",
        ),
        (article(entry(0), writer="ABC"), r"dev:2\.questions\[0\]: id '52845_YLZ_1' occurs twice, first at .*dev:1"),
        ({"unique_id": "7", "article": ["x"], "question1": "?"}, r"dev:2: no field 'question1_gold_label'"),
    ],
)
def test_schema_errors_name_line_and_question(tmp_path, record, message):
    with pytest.raises(SchemaError, match=message):
        read_quality(write_lines(tmp_path / "dev", article(entry(0)), record), Intake())


def test_a_truncated_or_wrongly_encoded_file_is_named_with_its_line(tmp_path):
    path = write_lines(tmp_path / "dev", article(entry(0)), article(entry(1)))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"dev:2: not valid JSON .* The file ends too early"):
        read_quality(path, Intake())
    path.write_bytes(b'{"article": "caf\xe9"}')
    with pytest.raises(DataError, match=r"dev:1: not UTF-8 text"):
        read_quality(path, Intake())


def test_rows_of_the_hub_are_gathered_by_article():
    row = {"article": "Orin paints.\n", "options": ["Ada", "Orin", "Kell", "Bree"]}
    rows = [
        {**row, "question": "Who paints?", "answer": 1, "hard": True},
        {**row, "question": "Who does not?", "answer": 0, "hard": False},
    ]
    (group,) = quality_rows(rows, "hub validation", Intake())
    assert [(q.id, q.correct, q.category) for q in group.questions] == [
        ("hub validation-0", (1,), "hard"),
        ("hub validation-1", (0,), "easy"),
    ]
    intake = Intake()
    (hard,) = quality_hard_rows(rows, "hub validation", intake)
    assert [question.text for question in hard.questions] == ["Who paints?"]
    assert +intake.dropped == {"easy_questions": 1}
    with pytest.raises(SchemaError, match=r"hub row 0: no field 'question'. It has: text"):
        quality_rows([{"text": "x"}], "hub", Intake())


@pytest.mark.skipif(not QUALITY_DATA.is_dir(), reason="real data files are not beside the repository")
def test_the_real_example_is_read_once_though_the_file_repeats_it():
    intake = Intake()
    (group,) = read_quality(QUALITY_DATA / "quality_example.jsonl", intake)
    assert (group.document, [question.letters for question in group.questions]) == ("52845", list("BCDAD"))
    assert [question.category for question in group.questions] == ["hard", "hard", "hard", "hard", "easy"]
    assert +intake.dropped == {"duplicate_questions": 5}
    assert group.context.startswith("THE GIRL IN HIS MIND\n\nBy ROBERT F. YOUNG\n\n[Transcriber's Note: This etext was")
    assert len(group.context.split()) == 4888
    assert "<" not in group.context
