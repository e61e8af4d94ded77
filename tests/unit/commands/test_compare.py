"""pmind compare on the built-in reading task, with a real pretrained model."""

import json
import sys

import pytest

from pmind.evaluation.rows import read_rows
from tests import vllm_stand_in

METHODS = "sequential,multi_turn,batch,all_in_one,collab_heuristic,collab_bert,collab_hidden,parallel"


@pytest.fixture
def compare(pmind, stories_path, tmp_path):
    def run(
        *arguments, methods="sequential,multi_turn,batch,all_in_one,collab_heuristic,collab_bert,collab_hidden,parallel"
    ):
        return pmind(
            "compare", "squad=builtin", "--model", stories_path, "--methods", methods, "--groups", 2,
            "--max-questions", 3, "--max-new-tokens", 3, "--out", tmp_path / "out", *arguments,
        )  # fmt: skip

    return run


def test_one_row_a_method_and_why_one_is_left_out(compare, tmp_path):
    code, out, err = compare("--json")
    assert code == 0
    content = json.loads(out)
    rows = {row["method"]: row for row in content["rows"]}
    assert list(rows) == ["sequential", "multi_turn", "batch", "all_in_one", "collab_heuristic", "parallel"]
    assert content["skipped"]["squad"].keys() == {"collab_bert", "collab_hidden"}
    assert "squad: collab_bert is left out: it reads the questions with an encoder" in err
    assert "collab_hidden is left out: no checkpoint was trained for it from stories260K on squad" in err
    assert rows["batch"]["same_answers"] == rows["parallel"]["same_answers"] == 1
    assert rows["multi_turn"]["rounds"] == 3
    assert rows["multi_turn"]["prompt_tokens"] < rows["sequential"]["prompt_tokens"]  # its context is kept
    assert rows["parallel"]["prompt_tokens"] < rows["batch"]["prompt_tokens"]
    assert "em_minus_sequential" in rows["batch"]
    assert json.loads((tmp_path / "out" / "comparison.json").read_text()) == content


def test_the_table(compare):
    code, out, _ = compare(methods="sequential,parallel")
    assert code == 0
    for text in ("sequential", "parallel", "EM, %", "s/group", "Rounds", "questions in 2 groups"):
        assert text in out


def test_vllm_answers_as_our_own_decoder_does(compare, monkeypatch, tmp_path, stories_path):
    monkeypatch.setitem(sys.modules, "vllm", vllm_stand_in)
    wanted = "sequential,multi_turn,batch,all_in_one,collab_llm,collab_heuristic,collab_bert,parallel"
    code, out, err = compare("--engine", "vllm", "--encoder", stories_path, "--json", methods=wanted)
    assert code == 0, err
    content = json.loads(out)
    assert [row["method"] for row in content["rows"]] == wanted.split(",")[:-1]
    assert "parallel is left out: it needs our own decoder, not vllm" in err
    assert (content["conditions"]["vllm"], content["conditions"]["model"]) == ("stand-in", "stories260K-vllm")
    code, out, err = compare(methods="sequential,batch,multi_turn")
    assert code == 0, err
    folder = tmp_path / "out" / "squad"
    for name in ("sequential-1", "batch-8", "multi_turn-1"):
        ours, other = (read_rows(folder / model / f"{name}.parquet") for model in ("stories260K", "stories260K-vllm"))
        assert [row.token_ids for row in other] == [row.token_ids for row in ours]


def test_vllm_is_named_where_it_is_missing(compare, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    code, _, err = compare("--engine", "vllm")
    assert code == 2
    assert "pip install 'pmind[vllm]'" in err


def test_an_engine_runs_models_not_servers(pmind, tmp_path):
    there = ("--url", "http://127.0.0.1:9/v1", "--engine", "vllm")
    code, _, err = pmind("compare", "squad=builtin", *there, "--out", tmp_path)
    assert code == 2
    assert "leave one of --engine and --url out" in err


def test_a_model_or_a_server(pmind, tmp_path):
    code, _, err = pmind("compare", "squad=builtin", "--out", tmp_path)
    assert code == 2
    assert "name either a model with --model, or a server with --url" in err
