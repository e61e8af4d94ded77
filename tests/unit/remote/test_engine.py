"""The engine against a server that misbehaves: every answer once, in order, and none paid for twice."""

import json
import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from pmind.errors import DataError, DecodingError, ParamsError
from pmind.methods.rounds import Ask, Prompt, Reply, run_rounds
from pmind.remote.engine import ApiEngine
from pmind.remote.usage import Prices, Tally
from pmind.tasks.prompts import Exchange
from tests.unit.remote.faulty import answer_to

ROOT = Path(__file__).resolve().parents[3]
KEY = "sk-a-key-that-nobody-may-see"
ASKS = [
    Ask(f"context {group}. ", tuple(Prompt(f"question {group}.{place}") for place in range(3 + group % 3)), 20)
    for group in range(10)
]
WHOLE = [[ask.context + prompt.text for prompt in ask.prompts] for ask in ASKS]  # as the server reads them
FLAT = [text for texts in WHOLE for text in texts]
EXPECTED = [[Reply(answer_to(text), "stop", len(text), len(answer_to(text))) for text in texts] for texts in WHOLE]
ONE = Ask("", (Prompt("one"),), 20)
KILLED = """
import sys
from pathlib import Path
from pmind.remote.engine import ApiEngine
from tests.unit.remote.test_engine import ASKS
ApiEngine(sys.argv[1], "tiny", Path(sys.argv[2]), workers=4).answer(ASKS)
"""


def kept(path):
    with closing(sqlite3.connect(path)) as base:
        return [json.loads(row)["text"] for (row,) in base.execute("SELECT reply FROM replies")]


def scripted(*steps):
    """Each prompt meets STEPS one after the other, then good answers."""
    return lambda prompt, before: steps[before] if before < len(steps) else ("say",)


def test_every_prompt_is_one_request_and_answers_keep_their_order(server, make):
    assert make().answer(ASKS) == EXPECTED
    assert Counter(server.prompts) == Counter(FLAT)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("chat", [True, False])
def test_whatever_the_server_does_every_answer_arrives_once(server, make, tmp_path, seed, chat):
    source = random.Random(seed)
    faults = [("fail", 429, "3"), ("fail", 500), ("fail", 529), ("break_off",), ("end_early",), ("drop",)]
    faults += [("send", b"<html>busy</html>"), ("send", b'{"error": "busy"}'), ("say_text", "")]
    plans = {text: [source.choice(faults) for _ in range(source.randrange(5))] for text in FLAT}
    plans[FLAT[seed]] = [("hang",)]
    server.faults = lambda prompt, before: plans[prompt][before] if before < len(plans[prompt]) else ("say",)
    engine = make(chat=chat, timeout_s=2)
    assert engine.answer(ASKS) == EXPECTED
    assert server.answered == dict.fromkeys(FLAT, 1)
    assert Counter(server.prompts) == {text: 1 + len(plan) for text, plan in plans.items()}
    assert (engine.usage.requests, engine.usage.retries) == (len(server.asked), len(server.asked) - len(FLAT))
    assert make(chat=chat).answer(ASKS) == EXPECTED
    assert server.answered == dict.fromkeys(FLAT, 1)


@pytest.mark.slow
def test_a_run_that_is_killed_loses_nothing(server, make, tmp_path):
    cache, first = tmp_path / "cache.sqlite", set(FLAT[:11])
    server.faults = lambda prompt, before: ("say",) if prompt in first else ("hang",)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "no_proxy": "*"}
    child = subprocess.Popen([sys.executable, "-c", KILLED, server.url, str(cache)], cwd=ROOT, env=environment)
    try:
        deadline = time.monotonic() + 120
        while server.answered.total() < len(first) or len(kept(cache)) < len(first):
            assert time.monotonic() < deadline and child.poll() is None, "no answers came"
            time.sleep(0.02)
    finally:
        child.kill()
    assert child.wait(60) == -signal.SIGKILL
    assert sorted(kept(cache)) == sorted(map(answer_to, first))
    server.prompts.clear()
    server.faults = scripted()
    assert make().answer(ASKS) == EXPECTED
    assert sorted(server.prompts) == sorted(set(FLAT) - first)


def test_a_prompt_without_an_answer_is_told_of_when_all_others_have_theirs(server, make, waits):
    lost = {FLAT[2], FLAT[20]}
    server.faults = lambda prompt, before: ("fail", 500) if prompt in lost else ("say",)
    with pytest.raises(DecodingError, match=rf"2 of {len(FLAT)} prompts have no answer: 2 x HTTP 500 .*run again"):
        make(attempts=3).answer(ASKS)
    assert server.answered == dict.fromkeys(set(FLAT) - lost, 1)
    assert len(waits) == 4
    server.prompts.clear()
    server.faults = scripted()
    assert make().answer(ASKS) == EXPECTED
    assert sorted(server.prompts) == sorted(lost)


@pytest.mark.parametrize(
    ("status", "way_out"),
    [
        (401, "set PMIND_API_KEY"),
        (402, "add credit"),
        (403, "may use this model"),
        (404, "address or the model's name"),
    ],
)
def test_trouble_of_every_request_ends_the_run_at_once(server, make, status, way_out):
    first = make()
    first.answer(ASKS[:2])
    server.asked.clear()
    server.faults = scripted(("fail", status))
    with pytest.raises(DecodingError, match=way_out) as error:
        make(workers=3).answer(ASKS)
    assert server.url in str(error.value)
    assert 1 <= len(server.asked) <= 3
    assert make().answer(ASKS[:2]) == EXPECTED[:2]


def test_a_server_that_says_how_long_to_wait_is_obeyed(server, make, waits):
    server.faults = scripted(("fail", 429, "7"), ("fail", 503, "0"), ("fail", 429, "3600"), ("fail", 500))
    make(backoff_s=2).answer([ONE])
    assert waits[:3] == [7, 0, 60]
    assert 8 <= waits[3] <= 16


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_request_that_the_server_will_never_take_is_sent_once(server, make, status):
    server.faults = scripted(("fail", status))
    with pytest.raises(DecodingError, match=f"1 x HTTP {status} .*as scripted"):
        make().answer([ONE])
    assert len(server.asked) == 1


def test_a_redirect_is_not_followed(server, make, monkeypatch):
    monkeypatch.setenv("PMIND_API_KEY", KEY)
    server.faults = scripted(("redirect",))
    with pytest.raises(DecodingError, match="1 x HTTP 307"):
        make().answer([ONE])
    assert [path for path, _, _ in server.asked] == ["/v1/chat/completions"]


@pytest.mark.parametrize(
    ("variables", "sent"),
    [
        ({}, None),
        ({"OPENAI_API_KEY": KEY}, f"Bearer {KEY}"),
        ({"OPENAI_API_KEY": "other", "PMIND_API_KEY": KEY}, f"Bearer {KEY}"),
        ({"OPENAI_API_KEY": KEY, "PMIND_API_KEY": ""}, f"Bearer {KEY}"),
    ],
)
def test_the_key_comes_from_the_environment(server, make, monkeypatch, variables, sent):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    make().answer([ONE])
    assert server.asked[0][1].get("Authorization") == sent


@pytest.mark.parametrize("status", [400, 401, 500])
def test_the_key_is_shown_and_written_nowhere(server, make, monkeypatch, caplog, tmp_path, status):
    """The server repeats the key in its errors."""
    monkeypatch.setenv("PMIND_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    server.faults = lambda prompt, before: ("fail", status) if prompt == "one" else ("say",)
    engine = make(attempts=2)
    engine.answer(ASKS[:1])
    with pytest.raises(DecodingError) as error:
        engine.answer([ONE])
    told = "".join(traceback.format_exception(error.value)) + caplog.text + repr(engine) + repr(engine.usage)
    assert "as scripted, for Bearer [key]" in told
    assert KEY not in told
    assert len(caplog.records) > 4
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files and not any(KEY.encode() in path.read_bytes() for path in files)


@pytest.mark.parametrize("url", ["http://user:secret@host/v1", "https://host/v1?key=secret", "secret@host"])
def test_an_address_with_a_key_is_refused_and_not_shown(url, tmp_path):
    with pytest.raises(ParamsError, match="keys belong in the environment") as error:
        ApiEngine(url, "tiny", tmp_path / "cache")
    assert "secret" not in str(error.value)


def test_what_a_chat_is_sent(server, make):
    history = (Exchange(1, "Who sings?", " Livia"), Exchange(2, "Where?", " In Oslo\n"))
    ask = Ask("Livia sings in Oslo.\n", (Prompt("Since when?", history), Prompt("Who?")), 7, ("\n", "."))
    make(extra={"reasoning": {"enabled": False}}, workers=1).answer([ask])
    (path, _, body), (_, _, other) = server.asked
    assert path == "/v1/chat/completions"
    assert body == {
        "model": "tiny",
        "messages": [
            {"role": "user", "content": "Livia sings in Oslo.\nWho sings?"},
            {"role": "assistant", "content": "Livia"},
            {"role": "user", "content": "Where?"},
            {"role": "assistant", "content": "In Oslo"},
            {"role": "user", "content": "Since when?"},
        ],
        "max_tokens": 7,
        "temperature": 0,
        "stop": ["\n", "."],
        "reasoning": {"enabled": False},
    }
    assert other["messages"] == [{"role": "user", "content": "Livia sings in Oslo.\nWho?"}]


def test_what_a_text_completion_is_sent(server, make):
    ask = Ask("Livia sings.\n", (Prompt("Where?", (Exchange(1, "Who?", " Livia"),)),), 7)
    make(chat=False, temperature=None, length_field="max_completion_tokens").answer([ask])
    ((path, _, body),) = server.asked
    assert path == "/v1/completions"
    assert body == {"model": "tiny", "prompt": "Livia sings.\n1. Who? Livia\nWhere?", "max_completion_tokens": 7}


def test_rounds_of_a_method_go_through_the_engine(server, make):
    def method(topic):
        ((first,),) = yield [Ask("", (Prompt(topic),), 20)]
        ((second,),) = yield [Ask("", (Prompt("and", (Exchange(1, topic, first.text),)),), 20)]
        return [first, second]

    replies = run_rounds(make(), [method("a"), method("b")])
    assert [[(reply.text, reply.round) for reply in group] for group in replies] == [
        [(answer_to(topic), 1), (answer_to("and"), 2)] for topic in "ab"
    ]
    assert [len(body["messages"]) for _, _, body in server.asked] == [1, 1, 3, 3]


def test_another_model_address_or_option_is_another_answer(server, make, tmp_path):
    for options in ({}, {"model": "large"}, {"chat": False}, {"temperature": 0.5}, {"extra": {"seed": 1}}, {}):
        make(**options).answer([ONE])
    ApiEngine(f"{server.url}/other", "tiny", tmp_path / "cache.sqlite").answer([ONE])
    assert len(server.asked) == 6


def test_equal_prompts_are_asked_for_once(server, make):
    engine = make()
    (replies,) = engine.answer([Ask("", (Prompt("one"), Prompt("two"), Prompt("one")), 20)])
    assert [reply.text for reply in replies] == [answer_to("one"), answer_to("two"), answer_to("one")]
    assert sorted(server.prompts) == ["one", "two"]
    assert (engine.usage.new.replies, engine.usage.cached.replies) == (2, 1)


def test_nothing_to_ask(make, tmp_path):
    assert make().answer([]) == []
    assert not (tmp_path / "cache.sqlite").exists()


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("stop", "stop"), ("length", "length"), ("eos_token", "stop"), ("max_tokens", "length"), (None, "stop")],
)
def test_why_an_answer_ended(server, make, finish, reason):
    server.faults = lambda prompt, before: ("say_text", "Yes", None, finish)
    assert make().answer([ONE]) == [[Reply("Yes", reason, 0, 0)]]


def test_a_stop_text_that_the_server_leaves_in_is_cut(server, make):
    server.faults = lambda prompt, before: ("say_text", "Yes. No\nmore", None, "length")
    assert make().answer([Ask("", (Prompt("one"),), 20, ("\n", "."))])[0][0] == Reply("Yes", "stop", 0, 0)


@pytest.mark.parametrize("finish", ["error", "insufficient_system_resource"])
def test_an_answer_that_the_server_broke_off_is_asked_for_again(server, make, finish):
    server.faults = scripted(("say_text", "half an ans", None, finish))
    assert make().answer([ONE])[0][0].text == answer_to("one")


def test_half_a_character_does_not_end_the_run(server, make):
    server.faults = lambda prompt, before: ("say_text", "Yes \ud83d")
    assert make().answer([ONE])[0][0].text == "Yes \ufffd"


def test_an_empty_reply_is_asked_for_again_unless_it_is_allowed(server, make):
    server.faults = lambda prompt, before: ("say_text", "", {"prompt_tokens": 9, "completion_tokens": 1})
    engine = make(attempts=3)
    with pytest.raises(DecodingError, match=r"1 x empty reply \(set allow_empty"):
        engine.answer([ONE])
    assert (len(server.asked), engine.usage.rejected) == (3, Tally(3, 0, 27, 3))
    assert make(allow_empty=True).answer([ONE]) == [[Reply("", "stop", 9, 1)]]
    assert make().answer([ONE]) == [[Reply("", "stop", 9, 1)]]  # kept


def test_tokens_that_went_into_reasoning_are_not_paid_for_again(server, make):
    server.faults = lambda prompt, before: ("say_text", None, None, "length")
    with pytest.raises(DecodingError, match=r"no text within max_new_tokens .*reasoning off"):
        make().answer([ONE])
    assert len(server.asked) == 1


def test_usage_and_cost_of_new_and_of_cached_answers(server, make):
    prices = Prices(prompt=1000, completion=2000, currency="CNY")
    make().answer(ASKS[:1])
    engine = make(prices=prices)
    server.faults = scripted(("fail", 500))
    engine.answer(ASKS[:2])
    read = [[len(text) for text in WHOLE[group]] for group in (0, 1)]
    written = [[len(answer_to(text)) for text in WHOLE[group]] for group in (0, 1)]
    usage = engine.usage
    assert usage.cached == Tally(3, 0, sum(read[0]), sum(written[0]))
    assert usage.new == Tally(4, 0, sum(read[1]), sum(written[1]))
    assert (usage.requests, usage.retries, usage.unmetered) == (8, 4, 0)
    assert usage.cost == pytest.approx(sum(read[1]) / 1000 + sum(written[1]) / 500)
    assert usage.saved == pytest.approx(sum(read[0]) / 1000 + sum(written[0]) / 500)
    assert usage.summary()["currency"] == "CNY"
    assert make().usage.cost is None


@pytest.mark.parametrize(
    "counts", [None, {}, {"prompt_tokens": None, "completion_tokens": 3}, [1], {"prompt_tokens": 5}]
)
def test_a_server_without_a_count_of_tokens(server, make, counts):
    server.faults = lambda prompt, before: ("say_text", "Yes", counts)
    engine = make(prices=Prices(1, 1))
    assert engine.answer([ONE]) == [[Reply("Yes", "stop", 0, 0)]]
    assert (engine.usage.unmetered, engine.usage.cost) == (1, 0)
    again = make()
    again.answer([ONE])
    assert again.usage.unmetered == 1


def test_engines_share_a_cache_while_they_write_it(server, make):
    replies = {}
    engines = [
        threading.Thread(target=lambda part=part: replies.update({part: make().answer(ASKS[part::3])}))
        for part in range(3)
    ]
    for engine in engines:
        engine.start()
    for engine in engines:
        engine.join()
    assert replies == {part: EXPECTED[part::3] for part in range(3)}
    asked = len(server.asked)
    assert make().answer(ASKS) == EXPECTED
    assert len(server.asked) == asked


def test_nothing_is_paid_for_that_could_not_be_kept(server, tmp_path):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(DataError, match="Give another path"):
        ApiEngine(server.url, "tiny", tmp_path / "file" / "cache").answer([ONE])
    assert server.asked == []


def test_a_kept_answer_of_another_kind(server, make, tmp_path):
    make().answer([ONE])
    with closing(sqlite3.connect(tmp_path / "cache.sqlite")) as base, base:
        base.execute("UPDATE replies SET reply = 'five'")
    with pytest.raises(DataError, match="holds an answer of another kind"):
        make().answer([ONE])


@pytest.mark.parametrize("extra", [{"n": 2}, {"model": "other"}, {"stream": True}])
def test_extra_fields_must_not_replace_ours(make, extra):
    with pytest.raises(ParamsError, match="which the engine sets itself"):
        make(extra=extra)


def test_extra_fields_that_are_no_json(make):
    with pytest.raises(ParamsError, match="cannot be sent as JSON"):
        make(extra={"seed": object()})


@pytest.mark.parametrize("options", [{"workers": 0}, {"attempts": 0}, {"timeout_s": 0}, {"backoff_s": -1}])
def test_numbers_that_make_no_sense(make, options):
    with pytest.raises(ParamsError, match="at least 1"):
        make(**options)


def test_prices_below_nothing():
    with pytest.raises(ParamsError, match="what a million tokens cost"):
        Prices(-1, 2)
