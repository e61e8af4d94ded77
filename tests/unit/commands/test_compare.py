"""pmind compare on the built-in reading task, with a real pretrained model."""

import json

import pytest

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


def test_a_model_or_a_server(pmind, tmp_path):
    code, _, err = pmind("compare", "squad=builtin", "--out", tmp_path)
    assert code == 2
    assert "name either a model with --model, or a server with --url" in err
