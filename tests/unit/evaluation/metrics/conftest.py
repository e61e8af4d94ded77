"""Real data beside the repository, for parity with official evaluators on real answers."""

import lzma
from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[5] / "shared" / "data"


@pytest.fixture(scope="session")
def read_real():
    """Read a file of the shared data as text, or skip where it is absent."""

    def read(name):
        path = DATA / name
        if not path.is_file():
            pytest.skip(f"no ../shared/data/{name} beside the repository")
        return (
            lzma.open(path, "rt", encoding="utf-8").read() if path.suffix == ".xz" else path.read_text(encoding="utf-8")
        )

    return read
