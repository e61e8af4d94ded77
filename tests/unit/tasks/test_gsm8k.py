import json
from hashlib import sha256
from pathlib import Path

import pytest

from pmind.errors import DataError
from pmind.tasks.gsm8k import EXAMPLES, GSM8K, GSM8K_ZERO_SHOT, gsm8k_rows, read_gsm8k
from pmind.tasks.intake import Intake
from pmind.tasks.records import Question

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "gsm8k"
ITEM = {"question": "How many?", "answer": "Ada has 3 + 4 = <<3+4=7>>7.\n#### 1,007"}


def written(path, items):
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return path


def test_the_answer_is_the_final_number(tmp_path):
    intake = Intake()
    (group,) = read_gsm8k(written(tmp_path / "test.jsonl", [ITEM, {**ITEM, "question": "Why?"}, ITEM]), intake)
    assert (group.id, group.document) == ("gsm8k-test-0", "gsm8k-test")
    assert group.questions == (
        Question("gsm8k-test-0", "How many?", ("1007",), document="gsm8k-test-0"),
        Question("gsm8k-test-1", "Why?", ("1007",), document="gsm8k-test-1"),
    )
    assert intake.dropped == {"duplicate_questions": 1}


def test_prompt_is_that_of_the_harness(tmp_path):
    (group,) = GSM8K.read(written(tmp_path / "test.jsonl", [ITEM]), Intake())
    context = GSM8K.template.render_context(group)
    assert context.startswith(
        "Q: There are 15 trees in the grove. Grove workers will plant trees in the grove today. After they are done, "
        "there will be 21 trees. How many trees did the grove workers plant today?\n"
        "A: There are 15 trees originally. Then there were 21 trees after some more were planted. So there must have "
        "been 21 - 15 = 6. The answer is 6.\n\nQ: If there are 3 cars"
    )
    assert context.endswith("So she has 23 - 15 dollars left. 23 - 15 is 8. The answer is 8.\n\n")
    assert context.count("Q: ") == context.count("\nA: ") == len(EXAMPLES) == 8
    assert sha256(context.encode()).hexdigest()[:16] == "3d55795c084e26f6"  # of the harness's task file
    assert GSM8K.template.render_prompt(group.questions[0]) == "Q: How many?\nA:"
    assert GSM8K.template.render_answer(group.questions[0]) == " 1007"


def test_without_examples_it_asks_for_steps(tmp_path):
    (group,) = GSM8K_ZERO_SHOT.read(written(tmp_path / "test.jsonl", [ITEM]), Intake())
    assert group.context == ""
    assert GSM8K_ZERO_SHOT.template.render_prompt(group.questions[0]) == "Q: How many?\nA: Let's think step by step."


def test_hub_rows_are_the_files_entries():
    (group,) = gsm8k_rows([ITEM], "openai/gsm8k:main test", Intake())
    assert (group.id, group.questions[0].answers) == ("gsm8k-test-0", ("1007",))


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([ITEM, {"question": "x"}], r"test\.jsonl:2: no field 'answer'"),
        ([ITEM, {**ITEM, "answer": "seven"}], r"test\.jsonl:2\.answer: ends in no number after '#### '"),
        ([ITEM, {**ITEM, "question": " "}], r"test\.jsonl:2\.question: is empty"),
        ([ITEM, 3], r"test\.jsonl:2: expected an object"),
    ],
)
def test_errors_name_file_and_line(tmp_path, items, message):
    with pytest.raises(DataError, match=message):
        read_gsm8k(written(tmp_path / "test.jsonl", items), Intake())


def test_a_truncated_file_and_another_encoding_are_errors(tmp_path):
    path = written(tmp_path / "test.jsonl", [ITEM, ITEM])
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(DataError, match=r"test\.jsonl:2: not valid JSON"):
        read_gsm8k(path, Intake())
    path.write_bytes("é".encode("latin-1") + whole)
    with pytest.raises(DataError, match=r"test\.jsonl:1: not UTF-8"):
        read_gsm8k(path, Intake())


def test_one_file_read_twice_is_an_error(tmp_path):
    path, intake = written(tmp_path / "test.jsonl", [ITEM]), Intake()
    read_gsm8k(path, intake)
    with pytest.raises(DataError, match=r"id 'gsm8k-test-0' occurs twice"):
        read_gsm8k(path, intake)


@pytest.mark.skipif(not DATA.is_dir(), reason="the real GSM8K file is not here")
def test_the_real_file_is_one_group():
    intake = Intake()
    (group,) = read_gsm8k(DATA / "train.jsonl.xz", intake)
    assert len(group.questions) == len({question.document for question in group.questions}) == 7473
    assert not +intake.dropped
    assert [question.answers for question in group.questions[:3]] == [("72",), ("10",), ("5",)]
    assert all("," not in question.answers[0] for question in group.questions)
