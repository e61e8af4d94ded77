"""Datasets on the Hugging Face Hub; ``datasets`` is imported only when one is asked for."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pmind.errors import DataError

Rows = Iterable[dict[str, Any]]


def hub_splits(source: str) -> Mapping[str, Rows]:
    """Fetch a whole dataset, or take it from the local cache; gives its splits by name.

    Args:
        source: ``owner/name`` or ``owner/name:config``.

    Raises:
        DataError: the dataset cannot be reached or does not exist.
    """
    from datasets import load_dataset

    try:
        return load_dataset(*_name_and_config(source))
    except Exception as error:  # many layers below raise their own kinds; the way out is the same
        raise _unreadable(source, error) from error


def hub_stream(source: str, split: str) -> Iterator[dict[str, Any]]:
    """Rows of one split, fetched only as far as they are read.

    Raises:
        DataError: the dataset cannot be reached, or has no such split.
    """
    from datasets import load_dataset

    try:
        yield from load_dataset(*_name_and_config(source), split=split, streaming=True)
    except Exception as error:
        raise _unreadable(source, error) from error


def _name_and_config(source: str) -> tuple[str, str | None]:
    name, _, config = source.partition(":")
    return name, config or None


def _unreadable(source: str, error: Exception) -> DataError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return DataError(
        f"Hub dataset '{source}' cannot be read ({reason}). "
        "Check the id and the network (HF_HUB_OFFLINE), or name a local file or 'builtin'"
    )
