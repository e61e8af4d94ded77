"""What tests of the command line share: it runs in this process, and its output is caught."""

import sys

import pytest

from pmind import cli


@pytest.fixture
def pmind(monkeypatch, capsys):
    """Run the command line; gives exit code, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["pmind", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.run()
        printed = capsys.readouterr()
        return left.value.code, printed.out, printed.err

    return run


@pytest.fixture
def context_file(tmp_path):
    path = tmp_path / "context.txt"
    path.write_text("Once upon a time there was a girl named Lily.\n", encoding="utf-8")
    return path
