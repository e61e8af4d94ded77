import json

import pytest
from typer.testing import CliRunner

from pmind import hardware
from pmind.commands.benchmark_training import benchmark_training
from pmind.stage import new_app
from tests.tiny import build_word_tokenizer, stock_model

APP = new_app()
APP.command()(benchmark_training)


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """Output of the command on a random model, in a terminal of ordinary width."""
    monkeypatch.setattr(hardware, "READ_BYTES", 1 << 20)
    monkeypatch.setattr(hardware, "MATRIX", 128)
    stock_model().save_pretrained(tmp_path / "model")
    build_word_tokenizer().save_pretrained(tmp_path / "model")
    sizes = ["--tokens", "16", "--rows", "1", "--branches", "2,4", "--repeats", "1", "--threads", "1"]

    def run(*options: str) -> str:
        result = CliRunner().invoke(APP, ["--model", str(tmp_path / "model"), *sizes, *options])
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_a_table(shown):
    lines = shown("--ways", "columnar").splitlines()
    assert [line.split()[:2] for line in lines[1:4]] == [["1", "causal"], ["2", "columnar"], ["4", "columnar"]]
    assert "1 rows of 16 tokens" in lines[4]


def test_json_is_kept_and_printed(shown, tmp_path):
    printed = json.loads(shown("--json", "--out", str(tmp_path / "rows.json")))
    assert printed == json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert [row["way"] for row in printed["rows"]] == ["causal", *["columnar", "isolated"] * 2]
