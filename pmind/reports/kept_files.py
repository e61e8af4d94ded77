"""Files that stand below ``metrics/`` in a folder of their kind, one record each."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pmind.errors import DataError
from pmind.reports.formats import Value
from pmind.reports.timings import is_finite

Record = TypeVar("Record")


def read_folder(
    metrics: Path, folder: str, build: Callable[[str, Any], Record], kind: str, command: str
) -> tuple[Record, ...]:
    """Read every file in FOLDER below METRICS, by name; none if there is no such folder.

    Args:
        metrics: the metrics folder.
        folder: name of the folder below it.
        build: makes a record from the file's path below METRICS and its content.
        kind: what such a file holds, for the error.
        command: what writes such a file; ``{}`` stands for its path.

    Raises:
        DataError: a file is no JSON, or not of this kind.
    """
    paths = sorted((metrics / folder).glob("*.json"))
    return tuple(_read(path, f"{folder}/{path.name}", build, kind, command) for path in paths)


def one_line(text: object) -> str:
    """A name or message in one line, whatever it was."""
    return " ".join(str(text).split())


def finite_numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """What can be averaged."""
    return {key: value for key, value in values.items() if is_finite(value)}


def flat_conditions(values: Mapping[str, Any], prefix: str = "") -> dict[str, Value]:
    """Conditions in one level: ``{"versions": {"torch": 2}}`` as ``{"versions torch": 2}``; empty ones go."""
    flat: dict[str, Value] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flat_conditions(value, f"{prefix}{key} ")
        elif value is not None and value != "":
            listed = ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else value
            flat[f"{prefix}{key}"] = one_line(listed) if isinstance(listed, str) else listed
    return flat


def _read(path: Path, file: str, build: Callable[[str, Any], Record], kind: str, command: str) -> Record:
    again = f"Write it again: {command.format(path)}"
    try:
        return build(file, json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not valid JSON ({error.msg}). {again}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: no {kind} ({error}). {again}") from error
