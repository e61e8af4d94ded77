"""llama-cpp-python's server on loopback, for as long as tests run."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

LENGTH = 2048  # tokens: more than the model was trained for, so that every method's prompts are answered


@dataclass(frozen=True)
class Llama:
    """A running server.

    Attributes:
        url: of the API.
        log: what it printed.
    """

    url: str
    log: Path

    def asked(self) -> int:
        """Completions that it was asked for so far."""
        return self.log.read_text(encoding="utf-8").count('completions HTTP/1.1"')

    def complete(self, text: str, max_tokens: int, stop: tuple[str, ...] = ()) -> tuple[str, int, int]:
        """Its answer to TEXT, asked for without the engine: text, tokens read and written."""
        body = {"prompt": text, "max_tokens": max_tokens, "temperature": 0, "stop": list(stop)}
        request = Request(f"{self.url}/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urlopen(request, timeout=300) as response:
            reply = json.load(response)
        return reply["choices"][0]["text"], reply["usage"]["prompt_tokens"], reply["usage"]["completion_tokens"]


@contextmanager
def llama_serving(model: Path, folder: Path) -> Iterator[Llama]:
    """Serve MODEL from a GGUF file written into FOLDER, its tokenizer as transformers has it."""
    pytest.importorskip("llama_cpp", reason="needs llama-cpp-python (pip install 'pmind[llamacpp]')")
    pytest.importorskip("llama_cpp.server.app", reason="needs the server of llama-cpp-python, its extra [server]")
    pytest.importorskip("gguf", reason="needs the package gguf")
    from pmind.benchmark.runners.checkpoint import read_checkpoint
    from pmind.benchmark.runners.gguf_file import write_gguf

    path, log = folder / "model.gguf", folder / "log"
    write_gguf(read_checkpoint(model), path, "F32")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {"model": path, "host": "127.0.0.1", "port": port, "n_ctx": LENGTH, "n_threads": 1}
    options |= {"chat_format": "chatml", "hf_pretrained_model_name_or_path": model}
    command = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with log.open("w", encoding="utf-8") as output:
        server = subprocess.Popen([sys.executable, "-m", "llama_cpp.server", *command], stdout=output, stderr=output)
        try:
            _wait(server, f"http://127.0.0.1:{port}/v1/models", log)
            yield Llama(f"http://127.0.0.1:{port}/v1", log)
        finally:
            server.terminate()
            server.wait(60)


def _wait(server: subprocess.Popen, url: str, log: Path) -> None:
    for _ in range(1500):
        assert server.poll() is None, log.read_text(encoding="utf-8")
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text(encoding="utf-8"))
