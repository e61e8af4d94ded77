import json
from pathlib import Path

import pytest

pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed: pip install lm-eval")

from pmind.harness.comparison import Answered, compare, differences

SCORES = {"task": {"acc,none": 0.5}}
ANSWERS = {
    "loglikelihood": [(-1.0, True), (-2.0, False)],
    "loglikelihood_rolling": [-30.0],
    "generate_until": ["a", "b"],
}
REFERENCE = Answered([], ANSWERS, SCORES)


def changed(kind, place, answer):
    answers = {name: list(each) for name, each in ANSWERS.items()}
    answers[kind][place] = answer
    return differences(REFERENCE, Answered([], answers, SCORES))


def test_the_same_answers():
    found = differences(REFERENCE, REFERENCE)
    assert (found.requests, found.log_likelihood, found.greedy, found.texts, found.scores) == (5, 0.0, 0, 0, ())
    assert found.equal(0.0)


@pytest.mark.parametrize(
    ("kind", "answer", "name", "value"),
    [
        ("loglikelihood", (-1.25, True), "log_likelihood", 0.25),
        ("loglikelihood", (-1.0, False), "greedy", 1),
        ("loglikelihood_rolling", -30.5, "log_likelihood", 0.5),
        ("generate_until", "c", "texts", 1),
    ],
)
def test_each_kind_of_difference(kind, answer, name, value):
    found = changed(kind, 0, answer)
    assert getattr(found, name) == value
    assert not found.equal(1e-4)


def test_rounding_is_no_difference():
    assert changed("loglikelihood", 0, (-1.00001, True)).equal(1e-4)


def test_scores_that_differ_are_named():
    found = differences(REFERENCE, Answered([], ANSWERS, {"task": {"acc,none": 0.25}}))
    assert found.scores == ("task.acc,none",)
    assert not found.equal(1e-4)


def test_models_are_timed_on_the_requests_that_the_harness_made(exam_data, manager, stories):
    from pmind.harness.exams import exam_group

    specs = [exam_group("mmlu", exam_data / "mmlu", ["anatomy"])]
    models = {"hf": stories.hf, "pmind": stories.pmind}
    result = compare(models, specs, manager, repeats=2, tolerance=1e-4, num_fewshot=1, limit=4)
    assert result["equal"]
    assert result["requests"] == {"loglikelihood": 16}
    assert [len(result["seconds"][name]["all"]) for name in models] == [2, 2]
    assert result["ratios"]["pmind"] == 1.0
    assert result["ratio_to_fastest"] == result["ratios"]["hf"] > 0
    assert result["grouping"]["prompts_per_context"] == 4
    assert result["scores"]["hf"] == result["scores"]["pmind"]
    json.dumps(result)
    assert "loglikelihood" not in vars(stories.pmind)  # nothing is left on the models


def run(monkeypatch, capsys, *arguments):
    """The command in this process; its exit code, and what it printed."""
    from pmind.harness import compare as command
    from pmind.stage import run_stage

    monkeypatch.setattr("sys.argv", ["compare", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        run_stage(command.main)
    return ended.value.code, capsys.readouterr()


@pytest.fixture
def small_index(monkeypatch, manager):
    monkeypatch.setattr("lm_eval.tasks.TaskManager", lambda **_: manager)


def test_the_command_prints_and_keeps_json(monkeypatch, capsys, tmp_path, exam_data, stories_path, small_index):
    exam = ("--ceval", exam_data / "ceval", "--ceval-subjects", "physician", "--limit", 2, "--num-fewshot", 0)
    how = ("--threads", 1, "--repeats", 1, "--batch-sizes", "1,2", "--out", tmp_path / "x.json")
    code, printed = run(monkeypatch, capsys, "--model", stories_path, *exam, *how)
    result = json.loads(printed.out)
    assert code == 0
    assert result == json.loads((tmp_path / "x.json").read_text())
    assert list(result["seconds"]) == ["hf, batches of 1", "hf, batches of 2", "pmind"]
    assert result["equal"] is True
    assert result["conditions"]["threads"] == 1


def test_unequal_scores_are_an_error(monkeypatch, capsys, exam_data, stories_path, small_index):
    exam = ("--ceval", exam_data / "ceval", "--ceval-subjects", "physician", "--limit", 2)
    how = ("--threads", 1, "--repeats", 1, "--batch-sizes", "1", "--tolerance", 0)
    monkeypatch.setattr("pmind.harness.comparison.Differences.equal", lambda self, tolerance: False)
    code, printed = run(monkeypatch, capsys, "--model", stories_path, *exam, *how)
    assert code == 1
    assert json.loads(printed.out)["equal"] is False


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "nothing to compare"),
        (("--mmlu", Path("nowhere")), "nowhere: no subjects"),
        (("--tasks", "x", "--metadata", "[1]"), "--metadata takes a JSON object"),
        (("--tasks", "x", "--batch-sizes", "auto"), "--batch-sizes takes numbers"),
        (("--tasks", "x", "--tokenizer", __file__), "not a tokenizer.json"),
    ],
)
def test_bad_arguments(monkeypatch, capsys, stories_path, small_index, arguments, error):
    code, printed = run(monkeypatch, capsys, "--model", stories_path, *arguments)
    assert code == 2
    assert error in printed.err
    assert printed.err.count("\n") == 1
