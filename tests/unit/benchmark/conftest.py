from pathlib import Path

import pytest

from pmind.models.settings import Settings, save_settings
from tests.tiny import build_word_tokenizer, stock_model


@pytest.fixture
def folder(tmp_path) -> Path:
    """A random lossless model on disk."""
    return save_tiny(tmp_path / "isolated", Settings())


@pytest.fixture
def columnar_folder(tmp_path) -> Path:
    """The same model with columnar visibility."""
    return save_tiny(tmp_path / "columnar", Settings(rope_2d_ratio=0.5, alignment="right", visibility="columnar"))


def save_tiny(folder: Path, settings: Settings) -> Path:
    """Write weights, tokenizer and settings."""
    stock_model().save_pretrained(folder)
    build_word_tokenizer().save_pretrained(folder)
    save_settings(folder, settings)
    return folder
