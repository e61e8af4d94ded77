"""Servers on loopback, for as long as a test runs."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import HTTPServer
from typing import TypeVar

import pytest

Server = TypeVar("Server", bound=HTTPServer)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Serve from a thread; handlers that wait on ``server.closing`` are let go at the end."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def hide_keys(monkeypatch: pytest.MonkeyPatch, variables: Sequence[str]) -> None:
    """Ask servers directly, and with no key of whoever runs the tests."""
    monkeypatch.setenv("no_proxy", "*")
    for name in variables:
        monkeypatch.delenv(name, raising=False)
