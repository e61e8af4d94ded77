"""Adapters as plain model folders, for programs that know no adapters."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pmind.models.adapters import is_adapter
from pmind.models.loading import load_stock, load_tokenizer, resolve_folder, settings_of
from pmind.models.settings import save_settings


def write_plain(folder: Path, out: Path, dtype: str) -> None:
    """Write a model with its adapters merged: weights, tokenizer, generation config and ``pmind.json``.

    Args:
        folder: of the adapter.
        out: folder to write.
        dtype: of the weights written; they are merged in float32.

    Raises:
        ModelError: adapter, base model or tokenizer cannot be loaded.
    """
    model, tokenizer, settings = load_stock(folder, dtype, "cpu"), load_tokenizer(folder), settings_of(folder)
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    if settings:
        save_settings(out, settings)


@contextmanager
def plain_folder(path_or_id: str | Path, dtype: str = "float32") -> Iterator[Path]:
    """A folder of plain weights: the model's own, or for an adapter a merged one that goes away afterwards.

    Args:
        path_or_id: a folder, or a Hub id, of a model or of an adapter.
        dtype: of merged weights.

    Raises:
        ModelError: there is no such model or adapter, or it cannot be loaded.
    """
    folder = resolve_folder(path_or_id)
    if not is_adapter(folder):
        yield folder
        return
    with TemporaryDirectory(prefix="pmind-") as merged:
        write_plain(folder, Path(merged), dtype)
        yield Path(merged)
