from pathlib import Path

import pytest

from pmind.corpora.places import SchemaError
from pmind.errors import DataError
from pmind.tasks.intake import Intake
from pmind.tasks.mctest import MCTEST, mctest_rows, read_mctest

MCTEST_DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "mctest"
QUESTIONS = [
    ("one: Who paints?", "Ada", "Orin", "Kell", "Bree"),
    ("multiple: What did he say: yes or no?", "yes", "no", "both", "nothing"),
    ("one: Where?", "here", "there", "home", "a\\tabb"),
    ("multiple: Why?", "fun", "money", "fame", "food"),
]
PROMPT = """\
Orin paints.
He said "yes".

Question: What did he say: yes or no?
A. yes
B. no
C. both
D. nothing
Answer: A"""


def story(name="mc160.dev.0", questions=QUESTIONS):
    head = (name, "Author: 7;Work Time(s): 1446", 'Orin paints.\\newlineHe said "yes".')
    return "\t".join([*head, *(field for question in questions for field in question)])


def write(folder, stories, answers, name="mc160.dev"):
    (folder / f"{name}.tsv").write_text("".join(f"{line}\r\n" for line in stories), encoding="utf-8", newline="")
    (folder / f"{name}.ans").write_text("".join(f"{line}\r\n" for line in answers), encoding="utf-8", newline="")
    return folder / f"{name}.tsv"


def test_a_story_becomes_a_group_of_four_questions(tmp_path):
    (group,) = read_mctest(write(tmp_path, [story()], ["B\tA\tD\tC"]), Intake())
    assert (group.id, group.document) == ("mc160.dev.0-0", "mc160.dev.0")
    assert group.context == 'Orin paints.\nHe said "yes".'
    assert [question.correct for question in group.questions] == [(1,), (0,), (3,), (2,)]
    assert [question.category for question in group.questions] == ["one", "multiple", "one", "multiple"]
    assert group.questions[2].answers == ("a\tb",)


def test_the_prompt_shows_story_and_lettered_options(tmp_path):
    (group,) = read_mctest(write(tmp_path, [story()], ["B\tA\tD\tC"]), Intake())
    template, question = MCTEST.template, group.questions[1]
    rendered = template.render_context(group) + template.render_prompt(question) + template.render_answer(question)
    assert rendered == PROMPT


@pytest.mark.parametrize(
    ("stories", "answers", "message"),
    [
        ([story()[:200]], ["A\tA\tA\tA"], r"dev\.tsv:1: \d+ fields, expected a story with 4 questions: 23 fields"),
        ([story(), story("b")[:200]], ["A\tA\tA\tA"] * 2, r"dev\.tsv:2: \d+ fields, the first row has 23"),
        ([story()], ["A\tA\tA"], r"dev\.ans:1: 3 answers, expected 4"),
        ([story(), story("b")], ["A\tA\tA\tA", "A\tA\tE\tA"], r"dev\.ans:2: answer 2 is 'E', expected A, B, C or D"),
        ([story(), story("b")], ["A\tA\tA\tA"], r"dev\.tsv:2: mc160\.dev\.tsv has more lines than mc160\.dev\.ans"),
        ([story()], ["A\tA\tA\tA"] * 2, r"dev\.ans:2: mc160\.dev\.ans has more lines than mc160\.dev\.tsv"),
        (
            [story(questions=[("Who?", "a", "b", "c", "d"), *QUESTIONS[1:]])],
            ["A\tA\tA\tA"],
            r"tsv:1: question 0 begins",
        ),
        ([story(), story()], ["A\tA\tA\tA"] * 2, r"dev\.tsv:2: id 'mc160\.dev\.0-0' occurs twice, first at .*tsv:1"),
    ],
)
def test_schema_errors_name_file_and_line(tmp_path, stories, answers, message):
    with pytest.raises(SchemaError, match=message):
        read_mctest(write(tmp_path, stories, answers), Intake())


def test_a_file_without_answers_or_in_another_encoding_is_named(tmp_path):
    path = write(tmp_path, [story()], ["A\tA\tA\tA"])
    path.with_suffix(".ans").unlink()
    with pytest.raises(DataError, match=r"mc160\.dev\.tsv: no answers beside it. Put mc160\.dev\.ans into its folder"):
        read_mctest(path, Intake())
    path = write(tmp_path, [story()], ["A\tA\tA\tA"])
    path.write_bytes(path.read_bytes() + "café".encode("latin-1"))
    with pytest.raises(DataError, match=r"mc160\.dev\.tsv:2: not UTF-8 text"):
        read_mctest(path, Intake())


def test_rows_of_the_hub_are_gathered_by_story():
    rows = [
        {
            "idx": {"story": "mc160.test.0", "question": number},
            "question": asked.partition(": ")[2],
            "story": "Orin paints.\\newlineHe said yes.",
            "properties": {"author": "7", "work_time": 1446, "qual_score": 0, "creativity_words": ""},
            "answer_options": dict(zip("ABCD", options, strict=True)),
            "answer": letter,
            "question_is_multiple": asked.startswith("multiple"),
        }
        for number, ((asked, *options), letter) in enumerate(zip(QUESTIONS, "BADC", strict=True))
    ]
    (group,) = mctest_rows(rows, "hub test", Intake())
    assert group.context == "Orin paints.\nHe said yes."
    assert [question.correct for question in group.questions] == [(1,), (0,), (3,), (2,)]
    assert [question.category for question in group.questions] == ["one", "multiple", "one", "multiple"]
    with pytest.raises(SchemaError, match=r"hub row 0: the answer is none of the 4 options"):
        mctest_rows([{**rows[0], "answer": "E"}], "hub", Intake())


@pytest.mark.skipif(not MCTEST_DATA.is_dir(), reason="real data files are not beside the repository")
def test_real_files_are_read_whole():
    every, counts, stories = Intake(), {}, set()
    for path in sorted(MCTEST_DATA.rglob(MCTEST.files[0])):
        groups = read_mctest(path, every)
        stories |= {group.context for group in groups}
        counts[path.name] = (len(groups), sum(len(group.questions) for group in groups))
    assert counts == {
        "mc160.dev.tsv": (30, 120),
        "mc160.test.tsv": (60, 240),
        "mc160.train.tsv": (70, 280),
        "mc500.dev.tsv": (50, 200),
        "mc500.test.tsv": (150, 600),
        "mc500.train.tsv.xz": (300, 1200),
    }
    assert len(stories) == 660  # all different, so that a story's id may stand for it
    assert not any("\\newline" in story or "\\tab" in story for story in stories)
    assert not +every.dropped
