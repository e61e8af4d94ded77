import json
import subprocess
import sys

import pytest

from pmind.stage import fail, write_metrics

PROGRAM = """
import sys
from pathlib import Path
from typing import Annotated
import typer
from pmind.errors import DataError
from pmind.stage import run_stage

def main(path: Path, *, count: Annotated[int, typer.Option(min=1)] = 1) -> None:
    '''Do something.'''
    if count == 2:
        raise DataError(f"{path}: not\\n  a file")
    if count == 3:
        raise ZeroDivisionError("a bug")
    if count == 4:
        raise KeyboardInterrupt
    if count == 5:
        raise typer.Exit(7)
    print("done")

run_stage(main)
"""


def run(*arguments):
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_success():
    result = run("data.json")
    assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data.json", "--count", "2"], "error: data.json: not a file"),
        (["data.json", "--count", "0"], "--count"),
        (["data.json", "--count", "many"], "--count"),
        (["data.json", "--conut", "2"], "No such option: --conut"),
        ([], "Missing argument"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message):
    result = run(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr


def test_a_bug_keeps_its_traceback():
    result = run("data.json", "--count", "3")
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "ZeroDivisionError: a bug" in result.stderr


def test_interrupt_and_exit_codes():
    interrupted = run("data.json", "--count", "4")
    assert interrupted.returncode == 130
    assert "Traceback" not in interrupted.stderr
    assert run("data.json", "--count", "5").returncode == 7


def test_help():
    result = run("--help")
    assert result.returncode == 0
    assert "Do something." in result.stdout


def test_fail(capsys):
    with pytest.raises(SystemExit) as caught:
        fail("two\nlines")
    assert caught.value.code == 2
    assert capsys.readouterr().err == "error: two lines\n"


def test_metrics_are_sorted_one_key_a_line(tmp_path):
    path = tmp_path / "new" / "metrics.json"
    write_metrics(path, {"b.em": 0.5, "a.n": 3})
    assert path.read_text(encoding="utf-8") == '{\n "a.n": 3,\n "b.em": 0.5\n}\n'
    assert list(json.loads(path.read_text(encoding="utf-8"))) == ["a.n", "b.em"]
