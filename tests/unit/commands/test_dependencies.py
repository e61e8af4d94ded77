"""pmind dependencies: what it prints, and that bad input gets one line and exit code 2."""

import json

import pytest

ASKED = ("--question", "Who wrote Faust?", "--question", "Where was that person born?")


def test_the_example_of_the_help(pmind, tmp_path):
    picture = tmp_path / "faust.png"
    code, out, err = pmind("dependencies", *ASKED, "--png", picture)
    assert (code, err) == (0, "")
    assert out.startswith("round 1\n  1. Who wrote Faust?\nround 2\n  2. Where was that person born?\n     <- 1  0.85")
    assert "in rounds: 33 tokens read, 32 columns" in out  # 3 + 5 words, and 3 + 16 + 6 for the first again
    assert "at once: 8 tokens read, 16 columns" in out
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_json_tells_candidates_and_seconds(pmind, tmp_path):
    more = tmp_path / "more.txt"
    more.write_text("When was she born?\n\n  Is question 1 easy?\n", encoding="utf-8")
    code, out, err = pmind(
        "dependencies", *ASKED, "--questions-file", more, "--max-sources", 1, "--budget", 60, "--prefill-rate", 1000,
        "--column-ms", 10, "--json",
    )  # fmt: skip
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert said["questions"][2:] == ["When was she born?", "Is question 1 easy?"]
    assert said["rounds"] == [[1, 3], [2, 4]]
    assert {(one["source"], one["target"]): one["rejected"] for one in said["candidates"]} == {
        (1, 4): "",
        (1, 2): "",
        (1, 3): "10 tokens of the budget are left",
        (2, 3): "confidence below 0.35",
    }
    assert said["seconds"]["at_once"] == pytest.approx(16 / 1000 + 0.16)


def test_a_model_is_asked_and_its_tokenizer_counts(pmind, stories_path, stories_stock, context_file):
    arguments = ("dependencies", *ASKED, "--by", "model", "--model", stories_path, "--max-new-tokens", 20)
    code, out, _ = pmind(*arguments, "--context-file", context_file, "--json")
    said = json.loads(out)
    assert (code, said["understood"], said["candidates"], said["rounds"]) == (0, False, [], [[1, 2]])
    assert said["reply"].strip()
    assert said["read_tokens"]["at_once"] > 8 + 10  # pieces of words, the context's too
    assert "the model's reply holds no proposal: " in pmind(*arguments)[1]


def test_an_encoder_is_read(pmind, stories_path):
    code, out, _ = pmind(
        "dependencies", *ASKED, "--by", "encoder", "--encoder", stories_path, "--attention-threshold", 0.1,
        "--token-cost", 0, "--json",
    )  # fmt: skip
    edge = json.loads(out)["candidates"][0]
    assert (code, edge["source"], edge["target"], edge["reason"]) == (0, 1, 2, "attention")
    assert edge["confidence"] == pytest.approx(2 / 3)  # one of two pairs is read at all: twice the average


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no questions; give --question"),
        (("--question", " "), "question 1 is empty"),
        (("--questions-file", "gone.txt"), "--questions-file gone.txt: No such file"),
        ((*ASKED, "--context", "a", "--context-file", "b"), "give one of them"),
        ((*ASKED, "--by", "encoder"), "--by encoder needs --encoder"),
        ((*ASKED, "--by", "model"), "--by model needs --model"),
        ((*ASKED, "--by", "guess"), "--by"),
        ((*ASKED, "--min-confidence", 2), "min_confidence must be between 0 and 1"),
        ((*ASKED, "--column-ms", 5), "seconds need both --prefill-rate and --column-ms"),
        ((*ASKED, "--png", "picture.nothing"), "picture.nothing: cannot be written"),
        ((*ASKED, "--png", "no/such/folder/a.png"), "cannot be written"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(pmind, arguments, message):
    code, out, err = pmind("dependencies", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
