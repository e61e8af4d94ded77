"""The engine against a real server: llama-cpp-python's, with a small pretrained model."""

import json
import socket
import subprocess
import sys
import time
from urllib.request import Request, urlopen

import pytest

from pmind.methods.rounds import Ask, Prompt
from pmind.remote.engine import ApiEngine
from pmind.tasks.prompts import Exchange

ASKS = [
    Ask("Once upon a time there was a dog. ", (Prompt("The dog was"), Prompt("His name")), 8),
    Ask("", (Prompt("Lily saw", (Exchange(1, "One day", " it rained"),)), Prompt("The sun")), 8, (".",)),
]


@pytest.fixture(scope="module")
def address(stories_path, tmp_path_factory):
    """Of a server that reads the model as GGUF and its tokenizer from the folder."""
    pytest.importorskip("llama_cpp", reason="needs llama-cpp-python (pip install 'llama-cpp-python[server]')")
    pytest.importorskip("llama_cpp.server.app", reason="needs the server of llama-cpp-python, its extra [server]")
    pytest.importorskip("gguf", reason="needs the package gguf")
    from pmind.benchmark.runners.checkpoint import read_checkpoint
    from pmind.benchmark.runners.gguf_file import write_gguf

    path = tmp_path_factory.mktemp("gguf") / "stories.gguf"
    write_gguf(read_checkpoint(stories_path), path, "F32")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"model": path, "host": "127.0.0.1", "port": port, "n_ctx": 256, "n_threads": 1, "chat_format": "chatml"}
    options["hf_pretrained_model_name_or_path"] = stories_path
    command = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    log = (path.parent / "log").open("w")
    server = subprocess.Popen([sys.executable, "-m", "llama_cpp.server", *command], stdout=log, stderr=log)
    try:
        wait_for(server, f"http://127.0.0.1:{port}/v1/models", path.parent / "log")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(60)
        log.close()


def wait_for(server, url, log):
    for _ in range(600):
        assert server.poll() is None, log.read_text(encoding="utf-8")
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text(encoding="utf-8"))


def plainly(address, text, ask):
    """The server's answer to TEXT, asked for without the engine."""
    body = {"prompt": text, "max_tokens": ask.max_new_tokens, "temperature": 0, "stop": list(ask.stop)}
    request = Request(f"{address}/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=120) as response:
        reply = json.load(response)
    return reply["choices"][0]["text"], reply["usage"]["prompt_tokens"], reply["usage"]["completion_tokens"]


@pytest.mark.slow
def test_answers_are_those_of_the_server(address, tmp_path):
    engine = ApiEngine(address, "stories", tmp_path / "cache", chat=False, allow_empty=True)
    replies = engine.answer(ASKS)
    found = [[(reply.text, reply.prompt_tokens, reply.new_tokens) for reply in group] for group in replies]
    assert found == [[plainly(address, ask.context + prompt.flat, ask) for prompt in ask.prompts] for ask in ASKS]
    assert any(reply.text.strip() for group in replies for reply in group)
    assert (engine.usage.new.replies, engine.usage.unmetered) == (4, 0)


@pytest.mark.slow
def test_a_second_run_asks_the_server_for_nothing(address, tmp_path):
    replies = [ApiEngine(address, "stories", tmp_path / "cache", allow_empty=True).answer(ASKS) for _ in range(2)]
    assert replies[0] == replies[1]
    again = ApiEngine(address, "stories", tmp_path / "cache", allow_empty=True)
    again.answer(ASKS)
    assert (again.usage.requests, again.usage.cached.replies) == (0, 4)
