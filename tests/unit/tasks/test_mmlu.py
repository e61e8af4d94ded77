import csv
import lzma
from pathlib import Path

import pytest

from pmind.errors import DataError
from pmind.tasks.intake import Intake
from pmind.tasks.mmlu import MMLU, MMLU_ZERO_SHOT, mmlu_rows, read_mmlu

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "mmlu"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="real MMLU files are not here")
ROW = {"question": "Who?", "subject": "world_religions", "choices": ["Ada", "Orin", "Mira", "Tove"], "answer": 3}


def written(folder, examples):
    for name, rows in (
        ("dev/folk_tales_dev.csv", examples),
        ("test/folk_tales_test.csv", ["Who?,Ada,Orin,Mira,Tove,C"]),
    ):
        path = folder / name
        path.parent.mkdir()
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_prompt_is_that_of_the_harness(tmp_path):
    path = written(tmp_path, [f"When {n}?,1,2,3,4,{letter}" for n, letter in enumerate("ABCDA")])
    (group,) = MMLU.read(path, Intake())
    shots = "".join(f"When {n}?\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer: {letter}\n\n" for n, letter in enumerate("ABCDA"))
    head = "The following are multiple choice questions (with answers) about folk tales.\n\n"
    question = group.questions[0]
    assert MMLU.template.render_context(group) == head + shots
    assert MMLU.template.render_prompt(question) == "Who?\nA. Ada\nB. Orin\nC. Mira\nD. Tove\nAnswer:"
    assert MMLU.template.render_answer(question) == " C"
    assert MMLU.template.render_options(question) == [" A", " B", " C", " D"]
    (bare,) = MMLU_ZERO_SHOT.read(path, Intake())
    assert bare.context == head


def test_a_column_too_few_is_an_error(tmp_path):
    path = tmp_path / "folk_tales_test.csv"
    path.write_text("Who?,Ada,Orin,Mira,C\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"folk_tales_test\.csv:1: no field 'answer'\. It has: question, a, b, c, d"):
        read_mmlu(path, Intake(), shots=0)


def test_hub_rows_carry_subject_and_index():
    (group,) = MMLU_ZERO_SHOT.rows([ROW], "cais/mmlu:all test", Intake())
    assert (group.document, group.id, group.questions[0].correct) == ("world_religions", "world_religions_test-0", (3,))
    (group,) = mmlu_rows([ROW], "cais/mmlu:all test", Intake(), shots=1, examples=[{**ROW, "answer": 0}])
    assert group.context.endswith("about world religions.\n\nWho?\nA. Ada\nB. Orin\nC. Mira\nD. Tove\nAnswer: A\n\n")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": 4}, r"cais/mmlu:all test row 0\.answer: 4 is no index of an option, 0 to 3"),
        ({"answer": "A"}, r"cais/mmlu:all test row 0\.answer: expected a whole number"),
        ({"choices": ["Ada"]}, r"cais/mmlu:all test row 0: no field 'b'"),
    ],
)
def test_hub_rows_of_another_schema_are_errors(change, message):
    with pytest.raises(DataError, match=message):
        MMLU_ZERO_SHOT.rows([{**ROW, **change}], "cais/mmlu:all test", Intake())


@needs_data
def test_real_files_are_57_subjects():
    intake, files = Intake(), sorted(DATA.rglob(MMLU.files[0]))
    groups = [group for path in files for group in MMLU.read(path, intake)]
    questions = [question for group in groups for question in group.questions]
    assert len(files) == len(groups) == 57
    assert len(questions) == 14015  # of the official 14,042
    assert +intake.dropped == {"duplicate_questions": 27}
    assert len({group.document_of(question) for group in groups for question in group.questions}) == 14015
    assert [sum(question.letters == letter for question in questions) for letter in "ABCD"] == [3219, 3452, 3575, 3769]


@needs_data
@pytest.mark.parametrize("subject", ["anatomy", "professional_law"])
def test_real_contexts_are_those_of_the_authors_code(subject):
    """``gen_prompt`` and ``format_example`` of hendrycks/test, with the harness's single blank before the subject."""
    prompt = f"The following are multiple choice questions (with answers) about {subject.replace('_', ' ')}.\n\n"
    with (DATA / f"dev/{subject}_dev.csv").open(encoding="utf-8", newline="") as lines:
        for question, *options, answer in csv.reader(lines):
            prompt += question.strip()
            for letter, option in zip("ABCD", options, strict=True):
                prompt += f"\n{letter}. {option}"
            prompt += f"\nAnswer: {answer}\n\n"
    (path,) = DATA.glob(f"test/{subject}_test.csv*")
    (group,) = MMLU.read(path, Intake())
    assert group.context == prompt


@needs_data
def test_a_real_archive_cut_short_is_an_error(tmp_path):
    whole = (DATA / "test/professional_law_test.csv.xz").read_bytes()
    assert lzma.decompress(whole)
    path = tmp_path / "professional_law_test.csv.xz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"professional_law_test\.csv\.xz: truncated or corrupt after line \d+"):
        read_mmlu(path, Intake(), shots=0)
