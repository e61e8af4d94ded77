from pathlib import Path

import pytest

from pmind import hardware
from pmind.benchmark.models import Models
from pmind.benchmark.runners.protocol import Setup
from pmind.models.settings import Settings, save_settings
from tests.tiny import build_word_tokenizer, stock_model

OURS = ("sequential", "sequential_cached", "batch", "batch_cached", "all_in_one", "parallel", "parallel_columnar")


@pytest.fixture(autouse=True)
def small_machine(monkeypatch):
    """Bandwidth and peak are measured in milliseconds here, on sizes that mean nothing."""
    monkeypatch.setattr(hardware, "READ_BYTES", 1 << 20)
    monkeypatch.setattr(hardware, "MATRIX", 128)


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """A random lossless model on disk."""
    folder = tmp_path_factory.mktemp("model")
    stock_model().save_pretrained(folder)
    build_word_tokenizer().save_pretrained(folder)
    save_settings(folder, Settings())
    return folder


@pytest.fixture(scope="session")
def setup(folder) -> Setup:
    """One thread, float32, up to 64 short questions."""
    return Setup(folder, "float32", "cpu", 1, context_tokens=12, prompt_tokens=3, answer_tokens=5, most_branches=64)


@pytest.fixture(scope="session")
def models(setup) -> Models:
    """The model, loaded once."""
    return Models(setup)
