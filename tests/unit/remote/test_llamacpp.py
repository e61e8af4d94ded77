"""The engine against a real server: llama-cpp-python's, with a small pretrained model."""

import pytest

from pmind.methods.rounds import Ask, Prompt
from pmind.remote.engine import ApiEngine
from pmind.tasks.prompts import Exchange

ASKS = [
    Ask("Once upon a time there was a dog. ", (Prompt("The dog was"), Prompt("His name")), 8),
    Ask("", (Prompt("Lily saw", (Exchange(1, "One day", " it rained"),)), Prompt("The sun")), 8, (".",)),
]


@pytest.mark.slow
def test_answers_are_those_of_the_server(llama, tmp_path):
    engine = ApiEngine(llama.url, "stories", tmp_path / "cache", chat=False, allow_empty=True)
    replies = engine.answer(ASKS)
    found = [[(reply.text, reply.prompt_tokens, reply.new_tokens) for reply in group] for group in replies]
    assert found == [
        [llama.complete(ask.context + prompt.flat, ask.max_new_tokens, ask.stop) for prompt in ask.prompts]
        for ask in ASKS
    ]
    assert any(reply.text.strip() for group in replies for reply in group)
    assert (engine.usage.new.replies, engine.usage.unmetered) == (4, 0)


@pytest.mark.slow
def test_a_second_run_asks_the_server_for_nothing(llama, tmp_path):
    replies = [ApiEngine(llama.url, "stories", tmp_path / "cache", allow_empty=True).answer(ASKS) for _ in range(2)]
    assert replies[0] == replies[1]
    asked = llama.asked()
    again = ApiEngine(llama.url, "stories", tmp_path / "cache", allow_empty=True)
    again.answer(ASKS)
    assert (again.usage.requests, again.usage.cached.replies) == (0, 4)
    assert llama.asked() == asked
