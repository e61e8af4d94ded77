"""Two processes on one machine, as torchrun starts them, and what each of them does alone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import LlamaConfig

from pmind.commands.evaluate import evaluate
from pmind.corpora.tokenizer import train_tokenizer
from pmind.evaluation.processes import Processes, join_processes
from tests.tiny import SHAPE, random_model

ROOT = Path(__file__).parents[3]
SCORES = ("em", "em_low", "f1", "f1_high")
LIMIT = 120  # seconds until two processes that wait for each other are given up


@pytest.mark.parametrize("count", [1, 2, 3, 4])
@pytest.mark.parametrize("items", [0, 1, 2, 3, 7])
def test_every_item_is_dealt_once_and_collected_in_order(count, items, monkeypatch):
    shares = [Processes(rank, count).share(range(items)) for rank in range(count)]
    assert sorted(item for share in shares for item in share) == list(range(items))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1

    def gather(mine, parts):
        if parts is not None:
            parts[:] = shares

    monkeypatch.setattr("torch.distributed.gather_object", gather)
    assert Processes(0, count).collect(shares[0]) == list(range(items))
    if count > 1:
        assert Processes(1, count).collect(shares[1]) is None


def test_a_process_alone_talks_to_no_other(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with join_processes() as alone:
        assert (alone, alone.first) == (Processes(0, 1), True)
        assert alone.agree(lambda: "decided") == "decided"
        alone.wait()


def test_only_the_first_decides(monkeypatch):
    monkeypatch.setattr("torch.distributed.broadcast_object_list", lambda decided: decided.__setitem__(0, "first's"))
    assert Processes(1, 2).agree(lambda: 1 / 0) == "first's"


@pytest.fixture
def model(tmp_path):
    """Folder of a random model; its answers differ from question to question."""
    tokenizer = train_tokenizer(["Who is the painter of the small town? The river floods."], 300)
    shape = {"vocab_size": len(tokenizer), "num_key_value_heads": 2, "max_position_embeddings": 1024}
    random_model(LlamaConfig(**SHAPE | shape)).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.slow  # two processes import torch, and so does what starts them
def test_two_processes_write_the_bytes_of_one(model, tmp_path, capsys):
    asked = {"source": "builtin", "groups": 5, "max_questions": 4, "max_new_tokens": 4, "threads": 1}
    methods, branches = "sequential,batch,parallel", "2,4"
    evaluate("squad", str(model), methods=methods, branches=branches, out=tmp_path / "one", as_json=True, **asked)
    one = json.loads(capsys.readouterr().out)
    options = [part for name, value in asked.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    said = torchrun(
        2, "evaluate", "squad", "--model", model, "--methods", methods, "--branches", branches,
        "--out", tmp_path / "two", "--json", *options,
    )  # fmt: skip
    two = json.loads(said)
    assert (one["conditions"]["processes"], two["conditions"]["processes"]) == (1, 2)
    assert {row["questions"] for row in two["rows"]} == {row["questions"] for row in one["rows"]} != {0}
    folders = [tmp_path / name / "squad" / "model" for name in ("one", "two")]
    for cell in ("sequential-1", "batch-2", "batch-4", "parallel-2", "parallel-4"):
        first, second = ((folder / f"{cell}.parquet").read_bytes() for folder in folders)
        assert first == second, cell
    for alone, together in zip(one["rows"], two["rows"], strict=True):
        assert {name: alone[name] for name in SCORES} == {name: together[name] for name in SCORES}


def torchrun(count, *arguments):
    """What COUNT processes of the command line print."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", count, "-m", "pmind"]
    result = subprocess.run(
        [str(word) for word in [*command, *arguments]],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=LIMIT,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout
