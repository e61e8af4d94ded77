"""vLLM as an engine: what it refuses anywhere, and, where it is installed, the answers of our own decoder."""

import json
import sys
from dataclasses import replace

import pytest

from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import DecodingError, ModelError
from pmind.methods import sequential
from pmind.methods.local import LocalEngine
from pmind.methods.rounds import Ask, Prompt
from pmind.methods.vllm import check_plain, open_engine, read_texts
from pmind.models.loading import load_tokenizer
from pmind.models.settings import Settings, save_settings
from pmind.tasks.prompts import Exchange
from tests import vllm_stand_in
from tests.tiny import stock_model

CONTEXT = "Once upon a time there was a dog who lived in a big red house with a girl and her mother. " * 2
HISTORY = (Exchange(1, "Who lived there?", " a dog"), Exchange(2, "With whom?", " a girl"))
ASKS = [
    Ask(CONTEXT, (Prompt("The dog was"), Prompt("His name", HISTORY), Prompt("Who?", (), (" a dog", " a big cat"))), 9),
    Ask("", (Prompt("One day"), Prompt("Lily", (), (" A", " B", " C"), closed=False)), 6),
]


@pytest.fixture(scope="module")
def folder(stories_path, tmp_path_factory):
    """A random model with heads as large as vLLM wants them, and a real tokenizer."""
    path, tokenizer = tmp_path_factory.mktemp("model"), load_tokenizer(stories_path)
    stock_model("llama_gqa", vocab_size=len(tokenizer), head_dim=32).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def decoder(folder):
    return ParallelDecoder.from_pretrained(folder, compiled=False)


@pytest.fixture(scope="module", params=["stand-in", pytest.param("vllm", marks=pytest.mark.slow)])
def engine(request, folder):
    """vLLM where it is installed, and what stands in for it anywhere."""
    if request.param == "vllm":
        pytest.importorskip("vllm", reason="needs vLLM (pip install 'pmind[vllm]')")
        yield open_engine(folder, dtype="float32", device="cpu", threads=1, most=8)
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "vllm", vllm_stand_in)
        yield open_engine(folder, dtype="float32", device="cpu", threads=1, most=8)


def told(replies):
    return [
        [(reply.text, reply.finish_reason, reply.token_ids, reply.new_tokens) for reply in part] for part in replies
    ]


def test_answers_and_likelihoods_are_those_of_our_own_decoder(engine, decoder):
    expected, found = LocalEngine(decoder, sequential).answer(ASKS), engine.answer(ASKS)
    assert told(found) == told(expected)
    mine, other = ([reply.option_scores for part in replies for reply in part] for replies in (found, expected))
    assert [len(scores) for scores in mine] == [0, 0, 2, 0, 3]
    for scores, wanted in zip(mine, other, strict=True):
        assert scores == pytest.approx(wanted, abs=1e-3)


def test_an_answer_ends_before_a_stop_text(engine, decoder):
    (ask,) = [replace(ASKS[0], prompts=ASKS[0].prompts[:2])]
    stop = engine.answer([ask])[0][0].text[3:5]
    asks = [replace(ask, stop=(stop,))]
    found = engine.answer(asks)
    assert told(found) == told(LocalEngine(decoder, sequential).answer(asks))
    assert found[0][0].finish_reason == "stop" and stop not in found[0][0].text


def test_a_stop_token_ends_an_answer_and_is_none_of_its_tokens(engine, decoder, monkeypatch):
    ask = Ask(CONTEXT, (Prompt("The dog was"),), 9)
    third = engine.answer([ask])[0][0].token_ids[2]
    monkeypatch.setattr(engine, "texts", replace(engine.texts, eos_token_id=third))
    monkeypatch.setattr(decoder.model.generation_config, "eos_token_id", third)
    found = engine.answer([ask])
    assert told(found) == told(LocalEngine(decoder, sequential).answer([ask]))
    assert found[0][0].finish_reason == "stop" and third not in found[0][0].token_ids


def test_a_prefix_is_read_once_until_it_is_forgotten(engine):
    ask = Ask(CONTEXT, (Prompt("The dog was"), Prompt("His name")), 2)
    whole = engine.texts.context_tokens(CONTEXT) + len(engine.texts.encode("The dog was"))
    for _ in range(2):
        engine.forget()
        first, second = engine.answer([ask])[0]
        assert first.prompt_tokens == whole
        assert second.prompt_tokens < whole - 32  # a block of vLLM's at least
    assert engine.answer([ask])[0][0].prompt_tokens < whole - 32


def test_what_has_no_room(engine, decoder):
    positions = decoder.texts.positions
    words = "dog " * positions
    asks = [Ask(words, (Prompt("Who?"),), 4), ASKS[0]]
    found = engine.answer(asks)
    assert [reply.finish_reason for reply in found[0]] == ["no room"]
    assert told(found[1:]) == told(LocalEngine(decoder, sequential).answer(ASKS[:1]))
    most = positions - engine.texts.context_tokens(CONTEXT) - len(engine.texts.encode("The dog was"))
    (reply,) = engine.answer([Ask(CONTEXT, (Prompt("The dog was"),), positions)])[0]
    assert (reply.finish_reason, reply.new_tokens) == ("length", most)


def test_an_empty_question_is_refused(engine):
    with pytest.raises(DecodingError, match="a question is empty"):
        engine.answer([Ask(CONTEXT, (Prompt(" "),), 4)])


def test_texts_are_read_without_the_weights(folder, decoder):
    texts, own = read_texts(folder), decoder.texts
    assert (texts.settings, texts.positions, texts.stop_ids()) == (own.settings, own.positions, own.stop_ids())
    assert texts.context_ids(CONTEXT) == own.context_ids(CONTEXT)


@pytest.mark.parametrize(
    ("trained", "named"),
    [
        (Settings(rope_2d_ratio=0.25), r"rope_2d_ratio 0\.25"),
        (Settings(pair_indices=(3, 4)), "pair_indices"),
        (Settings(alignment="left"), "alignment left"),
        (Settings(alignment="right", visibility="columnar"), "visibility columnar, alignment right"),
    ],
)
def test_a_model_that_only_our_decoder_runs_is_refused(trained, named, tmp_path):
    save_settings(tmp_path, trained)
    with pytest.raises(ModelError, match=rf"trained with {named}, but vllm runs plain rotary models.*--engine"):
        check_plain(tmp_path)
    save_settings(tmp_path, Settings(prompt_template={"prompt": "{question}"}))
    check_plain(tmp_path)


def test_a_module_beside_the_weights_and_an_adapter_are_refused(tmp_path):
    (tmp_path / "crossbatch").mkdir()
    (tmp_path / "crossbatch" / "module.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match="trained with a cross-batch module"):
        check_plain(tmp_path)
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "base"}), encoding="utf-8")
    with pytest.raises(ModelError, match="pmind merge"):
        check_plain(tmp_path)


@pytest.mark.parametrize(
    ("hidden", "options", "message"),
    [
        ({"vllm": None}, {}, r"vllm needs the package vllm .*pip install 'pmind\[vllm\]'"),
        ({}, {"dtype": "float64"}, "vllm does not run float64 on cpu; set dtype to float32"),
        ({}, {"device": "tpu"}, "vllm does not run on tpu"),
    ],
)
def test_what_is_missing_is_named(folder, monkeypatch, hidden, options, message):
    for name, value in hidden.items():
        monkeypatch.setitem(sys.modules, name, value)
    with pytest.raises(ModelError, match=message):
        open_engine(folder, **{"dtype": "float32", "device": "cpu", "threads": 1, "most": 2} | options)
