import pytest

from pmind.evaluation.judge import KEY_VARIABLES
from pmind.remote.engine import ApiEngine
from tests.servers import hide_keys, serving
from tests.unit.remote.faulty import FaultyServer


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    hide_keys(monkeypatch, KEY_VARIABLES)


@pytest.fixture
def server():
    with serving(FaultyServer()) as server:
        yield server


@pytest.fixture
def waits():
    return []


@pytest.fixture
def make(server, tmp_path, waits):
    """Engines at the server that share a cache and wait for nothing."""
    return lambda **options: ApiEngine(
        server.url, options.pop("model", "tiny"), tmp_path / "cache.sqlite", **{"pause": waits.append} | options
    )
