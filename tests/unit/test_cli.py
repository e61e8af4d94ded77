"""The command line as a whole; each command has its own tests in tests/unit/commands."""

import importlib.metadata
import subprocess
import sys

import pytest

from pmind import cli

COMMANDS = ["ask", "evaluate", "compare", "diff", "dependencies", "datasets", "benchmark", "benchmark-training"]
COMMANDS += ["layout", "analyze", "merge", "results", "keep", "keep-model"]


@pytest.fixture
def pmind(monkeypatch, capsys):
    """Run the command line; gives exit code, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["pmind", *arguments])
        with pytest.raises(SystemExit) as left:
            cli.run()
        printed = capsys.readouterr()
        return left.value.code, printed.out, printed.err

    return run


def test_the_version_is_the_packages(pmind):
    assert pmind("--version") == (0, importlib.metadata.version("pmind") + "\n", "")


def test_help_lists_every_command_in_order(pmind):
    code, out, _ = pmind("--help")
    listed = [line.split()[0] for line in out.partition("Commands:")[2].splitlines() if line.strip()]
    assert (code, listed) == (0, COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_by_an_example(pmind, command):
    code, out, _ = pmind(command, "--help")
    assert code == 0
    assert f"Example: pmind {command}" in " ".join(out.split())


def test_an_unknown_command_is_named(pmind):
    code, out, err = pmind("evalaute")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "evalaute" in err


def test_help_waits_for_no_heavy_import():
    program = "import sys, pmind.cli; print(sorted({'torch', 'transformers', 'pandas'} & sys.modules.keys()))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_package_runs_as_a_module():
    result = subprocess.run([sys.executable, "-m", "pmind", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == importlib.metadata.version("pmind")


def test_the_command_alone_shows_its_help_as_it_is():
    result = subprocess.run([sys.executable, "-m", "pmind"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "\nCommands:\n  ask " in result.stderr
    assert "error:" not in result.stderr
