"""Jobs run side by side, once, and go on after a failure; the stages are stand-ins that note their calls."""

import json
import re
import subprocess
import sys

import pytest

from pmind.ablations import running
from pmind.ablations.jobs import Job
from pmind.ablations.running import DONE, Workshop

BOOM = "boom"


@pytest.fixture
def workshop(tmp_path, monkeypatch):
    """A workshop whose stages append their job to ``calls.txt``; those of a job called boom fail."""
    program = tmp_path / "stages"
    program.mkdir()
    (program / "__init__.py").touch()
    (program / "note.py").write_text(
        "import os, sys\n"
        "open('calls.txt', 'a').write(sys.argv[1] + ' ' + os.environ['OMP_NUM_THREADS'] + '\\n')\n"
        f"sys.exit('first line\\nthe reason' if sys.argv[1] == {BOOM!r} else 0)\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(running, "commands", lambda job, work: [("note", [job.label])])
    monkeypatch.setattr(running, "gather", lambda job, work: {"loss": float(len(job.label))})
    return Workshop(tmp_path / "work", side_by_side=2, threads=3)


def job(label, kind="pretrain", **needs):
    return Job(kind, label, {"seed": 1}, needs, digest=label)


def calls(tmp_path):
    return (tmp_path / "calls.txt").read_text(encoding="utf-8").splitlines()


def test_results_and_threads(workshop, tmp_path):
    base = job("base")
    waves = [[base], [job("tuned", "answers", pretrain=base)]]
    results, failures = workshop.run(waves, "t")
    assert not failures
    assert {job.label: numbers for job, numbers in results.items()} == {
        "base": {"loss": 4.0},
        "tuned": {"loss": 5.0},
    }
    assert calls(tmp_path) == ["base 3", "tuned 3"]


def test_what_is_done_is_not_run_again_but_what_was_stopped_is(workshop, tmp_path):
    waves = [[job("first"), job("second")]]
    before = workshop.run(waves, "t")
    (tmp_path / "work" / "pretrain-second" / DONE).unlink()  # as a kill leaves it
    assert workshop.run(waves, "t") == before
    assert sorted(calls(tmp_path)) == ["first 3", "second 3", "second 3"]


def test_a_failure_names_the_cell_and_its_log_and_the_others_go_on(workshop, tmp_path):
    bad, good = job(BOOM), job("good")
    waves = [[bad, good], [job("after", "answers", pretrain=bad), job("fine", "answers", pretrain=good)]]
    results, failures = workshop.run(waves, "t")
    assert [job.label for job in results] == ["good", "fine"]
    assert re.search(r"of boom.*first line.*the reason.*log.txt", failures[bad])
    assert "of after: not" in failures[waves[1][0]]
    assert {call.split()[0] for call in calls(tmp_path)} == {BOOM, "good", "fine"}
    assert json.loads((tmp_path / "work" / "answers-fine" / DONE).read_text(encoding="utf-8")) == {"loss": 4.0}


def test_only_models_that_others_start_from_are_kept(workshop, tmp_path):
    base, tuned = job("base"), job("tuned", "answers")
    for kept in (base, tuned):
        (tmp_path / "work" / kept.folder / "model").mkdir(parents=True)
    workshop.run([[base, tuned]], "t")
    assert (tmp_path / "work" / base.folder / "model").is_dir()
    assert not (tmp_path / "work" / tuned.folder / "model").exists()


def test_a_stage_that_outlived_its_run_is_waited_for(workshop, tmp_path):
    """The lock passes to the stage's process: a second run must not write beside it."""
    orphaned = job("orphan")
    folder = tmp_path / "work" / orphaned.folder
    folder.mkdir(parents=True)
    program = "import pathlib, sys, time; time.sleep(1); pathlib.Path('calls.txt').write_text('orphan ended\\n')"
    with running._alone(folder) as lock:
        orphan = subprocess.Popen([sys.executable, "-c", program], pass_fds=[lock])
    try:
        workshop.run([[orphaned]], "t")
    finally:
        orphan.wait()
    assert calls(tmp_path) == ["orphan ended", "orphan 3"]
