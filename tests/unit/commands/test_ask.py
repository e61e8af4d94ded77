"""pmind ask: what it prints, and that bad input gets one line and exit code 2."""

import json
import shutil
from typing import get_args

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer, GPT2Config, GPT2LMHeadModel

from pmind.commands.ask import MethodName
from pmind.decoding.decoder import ParallelDecoder
from pmind.methods.all_in_one import read_back
from pmind.methods.catalog import METHODS
from pmind.training.learnt import Learnt, write_learnt

PAINTER = ("Who is the painter?", "Which lake floods?", "Where was the person from question 1 born?")


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
    assert [(answer["round"], answer["needs"]) for answer in said["answers"]] == [(1, []), (1, [])]
    assert said["other_prompts"] == []


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
        (["--question", "x", "--question", "y", "--question", "x"], "question 3 is question 1 again; ask it once"),
        (["--question", "x", "--method", "collab_bert"], "name its folder or Hub id as --encoder"),
        (["--question", "x", "--method", "multi_turn", "--max-new-tokens", "600"], "the model has 512 positions"),
        (["--question", "one " * 100, "--question", "two " * 140, "--method", "all_in_one"], "does not fit the model"),
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


@pytest.fixture
def ask(pmind, stories_path, context_file):
    def run(*arguments, questions=PAINTER, model=stories_path, length=6):
        asked = [part for question in questions for part in ("--question", question)]
        return pmind(
            "ask", "--model", model, "--context-file", context_file, "--max-new-tokens", length, *asked, *arguments
        )

    return run


@pytest.fixture
def trained(stories_path, tmp_path):
    """A copy of the pretrained model that says it was trained for collab_hidden."""
    folder = tmp_path / "models" / "hidden"
    shutil.copytree(stories_path, folder)
    write_learnt(folder, Learnt("crossbatch", "stories260K", "9f2c", "squad", "context"))
    return folder


def test_every_local_method_can_be_asked_for():
    assert set(get_args(MethodName)) == set(METHODS)


@pytest.mark.parametrize("chosen", [(), ("--do-sample", "--seed", 3, "--stop", "a")])
def test_turns_are_told_what_was_said_before(ask, stories_path, context_file, chosen):
    said = json.loads(ask("--method", "multi_turn", "--json", *chosen)[1])
    assert [(answer["round"], answer["needs"]) for answer in said["answers"]] == [(1, []), (2, [1]), (3, [1, 2])]
    decoder = ParallelDecoder.from_pretrained(stories_path)
    options = {"do_sample": True, "seed": 3, "stop_strings": ("a",)} if chosen else {}
    history, context = "", context_file.read_text(encoding="utf-8").strip()
    for number, (question, answer) in enumerate(zip(PAINTER, said["answers"], strict=True), start=1):
        expected = decoder.generate(context, [history + question], max_new_tokens=6, **options)[0]
        assert answer["prompt_ids"] == list(decoder.encode(history + question))
        assert (answer["text"], tuple(answer["token_ids"])) == (expected.text, expected.token_ids)
        history += f"{number}. {question} {expected.text.strip()}\n"


@pytest.mark.parametrize(
    ("method", "line"),
    [
        (("multi_turn",), "3 rounds: question 1; then question 2 told 1; then question 3 told 1, 2"),
        (("collab_heuristic",), "2 rounds: questions 1, 2; then question 3 told 1"),
        (("collab_heuristic", "--min-confidence", 1), "1 round: questions 1–3"),
        (("all_in_one",), "1 round: all questions in one prompt; its reply has no answer to 2, 3"),
    ],
)
def test_one_line_says_what_was_told_when(ask, method, line):
    code, out, err = ask("--method", *method)
    assert (code, err) == (0, "")
    assert out.splitlines()[-2] == line
    assert out.count("\nA: ") == 3


def test_questions_asked_once_need_no_such_line(ask):
    lines = ask("--method", "batch")[1].splitlines()
    assert lines[-2] == ""
    assert " tokens in " in lines[-1]


def test_all_in_one_shows_the_answers_read_back(ask):
    said = json.loads(ask("--method", "all_in_one", "--json", length=12)[1])
    (reply,) = said["other_prompts"]
    assert [answer["text"] or None for answer in said["answers"]] == read_back(reply["text"], 3)
    assert said["answers"][0]["text"]
    assert f"A: {said['answers'][0]['text']}\n" in ask("--method", "all_in_one", length=12)[1]


def test_a_proposal_is_a_round_of_its_own(ask):
    code, out, err = ask("--method", "collab_llm", "--json", questions=("Who sings?", "When?"))
    said = json.loads(out)
    assert (code, err) == (0, "")
    assert [answer["round"] for answer in said["answers"]] == [2, 2]
    assert [other["round"] for other in said["other_prompts"]] == [1]
    assert said["settings"]["min_confidence"] == 0.35


def test_an_encoder_finds_dependencies(ask, tmp_path):
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nwho\nwhere")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    BertModel(BertConfig(vocab_size=7, max_position_embeddings=64, **shape)).save_pretrained(folder)
    code, out, err = ask("--method", "collab_bert", "--encoder", folder)
    assert (code, err) == (0, "")
    assert "round" in out.splitlines()[-2]


def test_answers_there_is_no_room_for_are_named(ask):
    code, out, err = ask("--method", "multi_turn", length=400, questions=PAINTER[:2])
    assert code == 0
    assert err == "question 2: not told 1, for which the model has too few positions\n"
    assert "2 rounds: question 1; then question 2\n" in out


def test_a_reply_that_was_cut_for_lack_of_room_is_named(ask):
    code, _, err = ask("--method", "all_in_one", length=300, questions=PAINTER[:2])
    assert code == 0
    assert err.startswith("all questions in one prompt: cut after ")


def test_a_method_that_needs_training_says_so(ask, trained):
    code, _, err = ask("--method", "lora_lmhead")
    assert (code, err.count("\n")) == (2, 1)
    assert "stories260K was not. Fine-tune one with crossbatch.train=lora_lmhead" in err
    assert "was trained for collab_hidden. Fine-tune one" in ask("--method", "finetuned", model=trained)[2]


def test_a_model_is_asked_as_it_was_trained(ask, trained):
    def method(*arguments):
        return json.loads(ask("--json", *arguments, model=trained)[1])["settings"]["method"]

    assert method() == method("--method", "collab_hidden") == "collab_hidden"
    assert method("--method", "sequential") == "sequential"


def test_a_trained_model_below_the_folder_is_named(ask, trained, stories_path):
    shutil.copytree(stories_path, trained.parent, dirs_exist_ok=True)
    err = ask("--method", "collab_hidden", model=trained.parent)[2]
    assert f"was not. Name {trained} as --model" in err
