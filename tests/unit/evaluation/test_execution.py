"""Programs that behave, and programs that do not."""

import gzip
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pmind.errors import DataError
from pmind.evaluation import execution_child
from pmind.evaluation.execution import Execution, Limits, humaneval_program, run_program, truncate_completion

HUMANEVAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "humaneval" / "HumanEval.jsonl.gz"
PROCESSES = 2  # at once


def run(program: str, **limits) -> Execution:
    return run_program(program, allow=True, limits=Limits(**limits))


def run_held_by(guard: str, program: str) -> Execution:
    """For what Python does not audit, so that only the kernel can refuse it."""
    execution = run(program)
    if guard not in execution.guards:
        pytest.skip(f"this machine's kernel does not offer {guard}")
    return execution


@pytest.fixture(scope="module")
def problems():
    if not HUMANEVAL.is_file():
        pytest.skip("no ../shared/data/humaneval beside the repository")
    with gzip.open(HUMANEVAL, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def run_solutions(problems, solution):
    def run_one(problem):
        return run(humaneval_program(problem["prompt"], solution(problem), problem["test"], problem["entry_point"]))

    with ThreadPoolExecutor(PROCESSES) as pool:
        executions = pool.map(run_one, problems)
        return {problem["task_id"]: execution for problem, execution in zip(problems, executions, strict=True)}


@pytest.mark.parametrize("allow", [False, None, "yes", 1])
def test_nothing_runs_unless_it_is_allowed(allow, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("something was started"))
    with pytest.raises(DataError, match="--run-code"):
        run_program("pass", allow=allow)
    with pytest.raises(DataError, match="--run-code"):
        run_program("pass")


def test_other_systems_are_refused(monkeypatch):
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(DataError, match="Linux only, not on darwin"):
        run("pass")


def test_a_machine_that_cannot_hold_a_program_is_no_failure_of_the_program(monkeypatch):
    monkeypatch.setattr("pmind.evaluation.execution.INTERPRETER_FLAGS", ("-c", "raise OSError('no limits here')"))
    with pytest.raises(DataError, match="no limits here"):
        run("pass")


@pytest.mark.slow
def test_every_canonical_solution_passes(problems):
    executions = run_solutions(problems, lambda problem: problem["canonical_solution"])
    assert len(executions) == 164
    assert {task: execution for task, execution in executions.items() if not execution.passed} == {}


def test_wrong_solutions_fail(problems):
    executions = run_solutions(problems[:8], lambda problem: "    return None\n")
    assert {execution.reason for execution in executions.values()} == {"failed"}
    assert {execution.detail.partition(":")[0] for execution in executions.values()} <= {"AssertionError", "TypeError"}


def test_solutions_of_other_problems_fail(problems):
    shifted = dict(zip((problem["task_id"] for problem in problems), problems[1:] + problems[:1], strict=True))
    executions = run_solutions(problems[:8], lambda problem: shifted[problem["task_id"]]["canonical_solution"])
    assert not any(execution.passed for execution in executions.values())


@pytest.mark.parametrize(
    ("program", "detail"),
    [
        ("assert 1 == 2, 'one'", "AssertionError: one"),
        ("assert 1 == 2", "AssertionError"),
        ("def f(:", "SyntaxError"),
        ("x = 1\0", ""),
        ("import numpy", "ModuleNotFoundError"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("input()", "EOFError"),
        ("def f(): f()\nf()", "RecursionError"),
        ("class E(Exception):\n  def __str__(self): raise E\nraise E", "E"),
        ("annotation: undefined = 1", "NameError"),  # no __future__ of ours
    ],
)
def test_what_raises_fails(program, detail):
    execution = run(program)
    assert (execution.reason, execution.passed) == ("failed", False)
    assert execution.detail.startswith(detail)


@pytest.mark.parametrize(
    "program",
    [
        "if __name__ == '__main__': raise ValueError",  # as in the official harness
        "import collections, dataclasses, functools, hashlib, heapq, itertools, math, random, re, statistics, typing",
        "from typing import NamedTuple\nclass P(NamedTuple):\n  x: int = 1\nassert P().x == 1",
        "from dataclasses import dataclass\n@dataclass\nclass P:\n  x: int = 1\nassert P().x == 1",
        "open('a', 'w').write('x'); assert open('a').read() == 'x'",
        "import os; assert os.listdir() == []",
        "print('高血压', '\\ud800')",
        "import sys; sys.stdout.close()",
    ],
)
def test_what_runs_to_its_end_passes(program):
    execution = run(program)
    assert (execution.reason, execution.detail) == ("passed", "")


def test_the_same_program_gets_the_same_verdict():
    program = "import random; print(hash('text'), random.random())"
    assert run(program).output == run(program).output


@pytest.mark.parametrize(
    "forgery",
    [
        "",
        "for end in range(3, 20):\n  try: os.write(end, b'passed\\n')\n  except OSError: pass",
        "for end in range(3, 20):\n  try: os.write(end, b'\\n' + b'0' * 64 + b' passed\\n')\n  except OSError: pass",
        "print('passed', flush=True)",
    ],
)
def test_to_leave_early_is_not_to_pass(forgery):
    execution = run(f"import os\n{forgery}\nos._exit(0)")
    assert (execution.reason, execution.detail) == ("error", "no verdict, left with exit code 0")


def test_a_crash_is_told_by_its_signal():
    execution = run("import os; os.abort()")
    assert execution.reason == "error"
    assert execution.detail.startswith("no verdict, ended by SIG")


def test_an_endless_loop_is_timed_out():
    execution = run("while True: pass", cpu_s=1, wall_s=60)
    assert (execution.reason, execution.detail) == ("timed out", "used 1 s of processor time")


def test_endless_waiting_is_timed_out_and_nothing_is_left_of_it():
    execution = run("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(600)", wall_s=2)
    assert (execution.reason, execution.detail) == ("timed out", "not done after 2 s")
    with pytest.raises(ProcessLookupError):
        os.kill(int(execution.output), 0)


def test_a_program_that_shuts_itself_off_is_killed_at_once():
    execution = run("import os\nos.closerange(0, 20)\nwhile True: pass", cpu_s=30, wall_s=60)
    assert (execution.reason, execution.detail) == ("error", "no verdict, ended by SIGKILL")


@pytest.mark.parametrize("program", ["x = bytearray(1 << 34)", "x = []\nwhile True: x.append(bytearray(1 << 22))"])
def test_a_memory_bomb_is_stopped(program):
    execution = run(program, memory_bytes=1 << 28)
    assert (execution.reason, execution.detail) == ("failed", "MemoryError")


def test_a_large_file_is_stopped():
    execution = run("with open('a', 'wb') as file: file.write(bytes(1 << 20))", file_bytes=1 << 19)
    assert execution.detail.startswith("OSError: [Errno 27]")


def test_many_open_files_are_stopped():
    execution = run("files = [open(str(number), 'w') for number in range(40)]", open_files=30)
    assert execution.detail.startswith("OSError: [Errno 24]")


@pytest.mark.parametrize("end", ["stdout", "stderr"])
def test_much_output_is_cut_but_no_failure(end):
    execution = run(f"import sys\nfor _ in range(1000): print('x' * 1000, file=sys.{end})", output_bytes=5000)
    assert execution.passed
    assert execution.output == ("x" * 1000 + "\n") * 4 + "x" * 996


def test_a_flood_of_output_is_bounded():
    execution = run("while True: print('x' * 1000)", cpu_s=1, output_bytes=5000)
    assert (execution.reason, len(execution.output)) == ("timed out", 5000)


@pytest.mark.parametrize(
    "program",
    [
        "import socket; socket.socket()",
        "import socket; socket.create_connection(('127.0.0.1', 80))",
        "import urllib.request; urllib.request.urlopen('http://127.0.0.1')",
        "import os; os.system('true')",
        "import os\nwhile True: os.fork()",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.posix_spawn('/bin/true', ['true'], {})",
        "import subprocess; subprocess.run(['true'])",
        "import multiprocessing as m; m.get_context('fork').Process(target=print).start()",
        "import threading; threading.Thread(target=print).start()",
        "import os; os.kill(os.getppid(), 0)",
        "import ctypes; ctypes.CDLL(None)",
        "import sqlite3; sqlite3.connect(':memory:')",
        "import os; os.symlink('/', 'root')",
        "import os; os.chmod('.', 0o777)",
        "import os; os.listdir('/')",
        "import resource; resource.setrlimit(resource.RLIMIT_CPU, (100, 100))",
        "open('/etc/hostname')",
        "open('/proc/self/environ')",
        "open('../up', 'w')",
    ],
)
def test_what_is_refused(program):
    execution = run(program)
    assert execution.reason == "failed"
    assert "is refused" in execution.detail or "can't start new thread" in execution.detail


def test_files_outside_are_neither_read_nor_written(tmp_path):
    secret, target = tmp_path / "secret", tmp_path / "target"
    secret.write_text("the secret")
    for program in (f"print(open({str(secret)!r}).read())", f"open({str(target)!r}, 'w').write('x')"):
        execution = run(program)
        assert (execution.reason, execution.output) == ("failed", "")
    assert not target.exists()


def test_the_library_is_read_but_not_written():
    assert run("import os; open(os.__file__).read()").passed
    assert "open is refused" in run("import os; open(os.__file__, 'a')").detail


def test_the_environment_is_empty(monkeypatch):
    monkeypatch.setenv("PMIND_JUDGE_API_KEY", "the secret")
    output = run("import os; print(dict(os.environ))").output
    assert "PYTHONHASHSEED" in output
    assert not any(word in output for word in ("HOME", "PATH", "secret", "USER"))


def test_the_folder_is_gone_afterwards():
    folder = run("import os; open('a', 'w').write('x'); print(os.getcwd())").output.strip()
    assert folder
    assert not Path(folder).exists()


def test_the_kernel_refuses_files_that_the_hook_does_not_see(tmp_path):
    execution = run_held_by("landlock", f"import os; os.mkfifo({str(tmp_path / 'pipe')!r})")
    assert "Permission denied" in execution.detail
    assert not (tmp_path / "pipe").exists()
    assert run("import os; os.mkfifo('pipe')").passed


def test_the_kernel_refuses_processes_that_the_hook_does_not_see():
    program = "from multiprocessing.util import spawnv_passfds as spawn\nwhile True: spawn(b'/bin/true', [b'true'], [])"
    assert "Operation not permitted" in run_held_by("seccomp", program).detail


def test_the_network_is_another_one():
    execution = run_held_by("namespaces", "import os; print(os.readlink('/proc/self/ns/net'))")
    assert execution.output.startswith("net:[")
    assert execution.output.strip() != os.readlink("/proc/self/ns/net")  # noqa: PTH115


def test_without_the_kernel_limits_and_hook_are_left(monkeypatch, tmp_path):
    source = Path(execution_child.__file__).read_text(encoding="utf-8")
    library, without = "ctypes.CDLL(None, use_errno=True)", "type('', (), {'__getattr__': lambda *_: lambda *_: -1})()"
    assert library in source
    (tmp_path / "child.py").write_text(source.replace(library, without), encoding="utf-8")
    monkeypatch.setattr("pmind.evaluation.execution.CHILD", tmp_path / "child.py")
    assert run("pass").guards == ("limits", "hook")
    for program in ("import socket; socket.socket()", "import os\nwhile True: os.fork()", "open('../up', 'w')"):
        assert "is refused" in run(program).detail


@pytest.mark.parametrize("stop", ["\nclass A: pass", "\ndef g(): pass", "\n# note", "\nif True: pass", "\nprint(1)"])
def test_a_completion_ends_at_the_first_stop(stop):
    assert truncate_completion(f"    return 1\n{stop}\ndef h(): pass") == "    return 1\n"


@pytest.mark.parametrize("text", ["", "    return 1", "    if x:\n        print(1)\n    return 1", "class A: pass"])
def test_other_completions_stay_whole(text):
    assert truncate_completion(text) == text
