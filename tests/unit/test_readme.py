"""The README stays true: its tree, its result tables, its commands."""

import json
import re
from pathlib import Path

import pytest
import yaml

from pmind.cli import app
from pmind.reports.metrics import read_kept, read_metrics
from pmind.reports.readme import END, START, fill_readme

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TREE = README.split("## The tree")[1].split("```")[1]


def test_the_tree_names_every_module():
    modules = [path for path in (ROOT / "pmind").rglob("*.py") if path.name != "__init__.py"]
    missing = [str(path) for path in modules if not re.search(rf"^ +{re.escape(path.name)} ", TREE, re.MULTILINE)]
    assert not missing


def test_the_tree_names_nothing_else():
    names = re.findall(r"^ +(\w+\.py) ", TREE, re.MULTILINE)
    assert sorted(names) == sorted(path.name for path in (ROOT / "pmind").rglob("*.py") if path.name != "__init__.py")


@pytest.mark.skipif(not (ROOT / "metrics" / "quality.json").is_file(), reason="the pipeline has not run here")
def test_the_result_tables_are_those_of_the_metrics(tmp_path):
    if json.loads((ROOT / "metrics" / "settings.json").read_text()) != _kept_settings("default"):
        pytest.skip("metrics/ holds an experiment, the README the default run")
    copy = tmp_path / "README.md"
    copy.write_text(README, encoding="utf-8")
    fill_readme(copy, read_metrics(ROOT / "metrics"), read_kept(ROOT / "metrics"))
    assert copy.read_text(encoding="utf-8") == README, "run: pmind results --readme README.md"


def test_marks_are_there_once():
    assert README.count(START) == README.count(END) == 1


def test_every_pmind_command_of_the_readme_exists():
    known = {command.callback.__name__.replace("_", "-") for command in app.registered_commands}
    used = {line.split()[1] for line in re.findall(r"^pmind .*", README, re.MULTILINE)}
    assert used <= known


def test_every_swept_key_of_the_readme_is_in_the_params_file():
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for key in re.findall(r"-S '?([\w.]+)=", README):
        section = params
        for part in key.split("."):
            section = section[part]


def _kept_settings(name):
    path = ROOT / "metrics" / "experiments" / name / "settings.json"
    return json.loads(path.read_text()) if path.is_file() else None
