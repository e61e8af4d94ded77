import gzip
import json
from pathlib import Path

import pytest

from pmind.errors import DataError
from pmind.tasks.humaneval import (
    HUMANEVAL,
    humaneval_row_tests,
    humaneval_rows,
    humaneval_tests,
    read_humaneval,
)
from pmind.tasks.intake import Intake
from pmind.tasks.records import Question

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "humaneval"
ITEM = {
    "task_id": "HumanEval/0",
    "prompt": 'def twice(x):\n    """ Double {x}. """\n',
    "entry_point": "twice",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
}


def written(path, items):
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return path


def test_a_file_is_one_group_of_programs(tmp_path):
    path = written(tmp_path / "HumanEval.jsonl", [ITEM])
    (group,) = read_humaneval(path, Intake())
    question = Question("HumanEval/0", ITEM["prompt"], (ITEM["canonical_solution"],), document="HumanEval/0")
    assert (group.id, group.context, group.questions) == ("HumanEval/0", "", (question,))
    assert humaneval_tests(path) == {"HumanEval/0": (ITEM["test"], "twice")}


def test_prompt_and_answer_are_one_program(tmp_path):
    (group,) = HUMANEVAL.read(written(tmp_path / "HumanEval.jsonl", [ITEM]), Intake())
    template, question = HUMANEVAL.template, group.questions[0]
    assert template.render_context(group) == ""
    assert template.render_prompt(question) + template.render_answer(question) == (
        'def twice(x):\n    """ Double {x}. """\n    return 2 * x\n'
    )


def test_hub_rows_are_the_files_entries():
    where = "openai/openai_humaneval test"
    (group,) = humaneval_rows([ITEM], where, Intake())
    assert group.questions[0].text == ITEM["prompt"]
    assert humaneval_row_tests([ITEM], where) == {"HumanEval/0": (ITEM["test"], "twice")}


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([ITEM, {"task_id": "x"}], r"HumanEval\.jsonl:2: no field 'prompt'"),
        ([ITEM, {**ITEM, "prompt": "other"}], r"HumanEval\.jsonl:2: id 'HumanEval/0' occurs twice"),
    ],
)
def test_errors_name_file_and_line(tmp_path, items, message):
    with pytest.raises(DataError, match=message):
        read_humaneval(written(tmp_path / "HumanEval.jsonl", items), Intake())


def test_a_truncated_file_and_another_encoding_are_errors(tmp_path):
    path = written(tmp_path / "HumanEval.jsonl", [ITEM])
    packed = path.with_name("HumanEval.jsonl.gz")
    packed.write_bytes(gzip.compress(path.read_bytes())[:-12])
    with pytest.raises(DataError, match=r"HumanEval\.jsonl\.gz: truncated or corrupt"):
        read_humaneval(packed, Intake())
    path.write_bytes(path.read_bytes() + b'{"task_id": "\xe9"}\n')
    with pytest.raises(DataError, match=r"HumanEval\.jsonl:\d: not UTF-8"):
        read_humaneval(path, Intake())


def test_tests_of_another_schema_are_an_error(tmp_path):
    path = written(tmp_path / "HumanEval.jsonl", [{**ITEM, "entry_point": 3}])
    with pytest.raises(DataError, match=r"HumanEval\.jsonl:1\.entry_point: expected a text"):
        humaneval_tests(path)


@pytest.mark.skipif(not DATA.is_dir(), reason="the real HumanEval file is not here")
def test_the_real_file_passes_its_own_tests():
    intake, path = Intake(), DATA / "HumanEval.jsonl.gz"
    (group,) = read_humaneval(path, intake)
    tests = humaneval_tests(path)
    assert len(group.questions) == len(tests) == len({question.document for question in group.questions}) == 164
    assert not +intake.dropped
    for question in group.questions[:10]:
        test, name = tests[question.id]
        exec(f"{question.text}{question.answers[0]}\n{test}\ncheck({name})", {})
