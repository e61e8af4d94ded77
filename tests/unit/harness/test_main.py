"""The command line: the harness's own, with our model in it."""

import json
import runpy
import sys
from functools import partial
from pathlib import Path

import pytest

TASKS = Path(__file__).resolve().parents[3] / "pmind" / "harness" / "tasks"
CASE = {"id": "0", "title": "案例", "description": "病史", "QA_pairs": [{"question": "诊断？", "answer": "肺炎"}]}


@pytest.fixture
def run(monkeypatch, capsys):
    """The command in this process, on our tasks alone: the harness's index of its own takes seconds."""
    lm_eval = pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed: pip install lm-eval")
    from lm_eval.tasks import TaskManager

    monkeypatch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
    monkeypatch.setattr(lm_eval.tasks, "TaskManager", partial(TaskManager, include_defaults=False))

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["lm_eval", *map(str, arguments)])
        runpy.run_module("pmind.harness", run_name="__main__")
        return capsys.readouterr().out

    return run


def test_the_model_is_known_by_its_name(run, tmp_path, stories_path):
    (tmp_path / "CMB-Clin-qa.json").write_text(json.dumps([CASE]), encoding="utf-8")
    model = ("--model", "pmind", "--model_args", f"pretrained={stories_path},branches=8")
    tasks = ("--tasks", "cmb_clin", "--include_path", TASKS, "--metadata", json.dumps({"cmb": str(tmp_path)}))
    table = run(*model, *tasks, "--gen_kwargs", "max_gen_toks=4", "--device", "cpu")
    assert "'branches': 8" in table
    assert "|cmb_clin|" in table
    assert "|rougeL|" in table


def test_errors_are_one_line(run, capsys):
    with pytest.raises(SystemExit) as ended:
        run("--model", "pmind", "--model_args", "pretrained=no/such", "--tasks", "cmb_clin", "--include_path", TASKS)
    assert ended.value.code == 2
    assert "error: no/such: no such folder" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("module", ["pmind.harness", "pmind.harness.compare"])
def test_without_the_harness(monkeypatch, capsys, module):
    for name in [name for name in sys.modules if name.partition(".")[0] == "lm_eval"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lm_eval", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setattr("sys.argv", ["command", "--model", "x", "--tasks", "y"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(module, run_name="__main__")
    assert ended.value.code == 2
    assert "lm-evaluation-harness is not installed; pip install 'pmind[harness]'" in capsys.readouterr().err
