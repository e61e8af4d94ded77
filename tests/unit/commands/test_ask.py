"""pmind ask: what it prints, and that bad input gets one line and exit code 2."""

import json

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel


def test_ask_gives_the_tokens_of_stock_generate(pmind, stories_path, stories_stock, context_file):
    code, out, err = pmind(
        "ask", "--model", stories_path, "--context-file", context_file, "--question", " She liked", "--question",
        " Her mom said", "--visibility", "isolated", "--rope-2d-ratio", 0, "--alignment", "own", "--max-new-tokens", 20,
        "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    said = json.loads(out)
    for answer in said["answers"]:
        prompt = said["context_ids"] + answer["prompt_ids"]
        stock = stories_stock.generate(torch.tensor([prompt]), max_new_tokens=20, do_sample=False)
        assert answer["token_ids"] == stock[0, len(prompt) :].tolist()
        assert answer["finish_reason"] == "length"
    assert said["timing"]["columns"] == 20
    assert said["timing"].keys() == {"prefill_s", "decode_s", "tokens_per_s", "columns"}
    assert said["settings"]["method"] == "parallel"


def test_every_method_prints_the_same_answers(pmind, stories_path, context_file):
    printed = [
        pmind(
            "ask", "--model", stories_path, "--context-file", context_file, "--question", " She", "--question", " Her",
            "--max-new-tokens", 8, "--method", method,
        )[1].rsplit("\n", 2)[0]
        for method in ("parallel", "sequential", "batch")
    ]  # fmt: skip
    assert printed[0].startswith("Q:  She\nA: ")
    assert printed[0] == printed[1] == printed[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--question", ""], "question 1 is empty"),
        (["--question", "x", "--context-file", "gone.txt"], "gone.txt: No such file"),
        (["--question", "x", "--rope-2d-ratio", "0.5"], "was made for rope_2d_ratio 0.0, but 0.5 is asked for"),
        (["--question", "x", "--rope-2d-ratio", "7"], "rope_2d_ratio must be between 0 and 1"),
        (["--question", "x", "--visibility", "columnar"], "was made for visibility isolated, but columnar"),
        (["--question", "x", "--max-new-tokens", "600"], "the model has 512 positions"),
        (["--question", "word " * 600], "the model has 512 positions"),
        (["--question", "x", "--max-new-tokens", "many"], "--max-new-tokens"),
        (["--question", "x", "--visibilty", "isolated"], "No such option"),
        (["--question", "x", "--prompt-template", "no place"], "lacks {question}"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(pmind, stories_path, arguments, message):
    code, out, err = pmind("ask", "--model", stories_path, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


def test_an_empty_context_file_is_named(pmind, stories_path, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_text(" \n")
    code, _, err = pmind("ask", "--model", stories_path, "--context-file", empty, "--question", "x")
    assert code == 2
    assert "the file is empty" in err


def test_a_model_without_rope_is_named(pmind, tmp_path):
    GPT2LMHeadModel(GPT2Config(n_embd=8, n_layer=1, n_head=1, vocab_size=16)).save_pretrained(tmp_path)
    code, _, err = pmind("ask", "--model", tmp_path, "--question", "x")
    assert code == 2
    assert "GPT2LMHeadModel has 0 rotary embeddings" in err
