"""Where data comes from: the built-in generator, a local file (also .gz, .xz), or the Hub."""

import gzip
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TextIO, TypeVar

from pmind.errors import DataError

SourceKind = Literal["builtin", "file", "hub"]
Value = TypeVar("Value")

OPENERS: Mapping[str, Callable[..., TextIO]] = {".gz": gzip.open, ".xz": lzma.open}
DATA_SUFFIXES = {".json", ".jsonl", ".txt", ".csv", ".parquet", *OPENERS}
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(:[\w.-]+)?")
KIND_NAMES = {str: "a text", list: "a list", dict: "an object", int: "a whole number"}


def source_kind(source: str) -> SourceKind:
    """Say what a ``source`` parameter means: ``builtin``, a local file, or a Hub id ``owner/name[:config]``.

    Raises:
        DataError: it is a folder, a missing file, or none of the three.
    """
    path = Path(source)
    if source == "builtin":
        return "builtin"
    if path.is_file():
        return "file"
    if path.is_dir():
        raise DataError(f"{source}: is a folder. Name a file in it")
    if path.suffix in DATA_SUFFIXES or source.startswith((".", "/", "~")):
        raise DataError(f"{source}: no such file. Paths are relative to the folder the command runs in")
    if HUB_ID.fullmatch(source):
        return "hub"
    raise DataError(f"source '{source}' is neither 'builtin', nor a file, nor a Hub id such as rajpurkar/squad")


def open_text(path: Path) -> TextIO:
    """Open a UTF-8 text file, unpacking .gz and .xz on the way."""
    return OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8")


def read_lines(path: Path) -> Iterator[str]:
    """Read a text file line by line.

    Raises:
        DataError: it is missing, unreadable, truncated, corrupt or not UTF-8; names the line.
    """
    done = 0
    try:
        with open_text(path) as lines:
            for line in lines:
                yield line
                done += 1
    except UnicodeDecodeError as error:
        raise DataError(f"{path}:{done + 1}: not UTF-8 text ({error.reason})") from error
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise DataError(f"{path}: truncated or corrupt after line {done} ({error}). Fetch the file again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: see :func:`read_lines`; or it is not JSON; names the line.
    """
    return _parse_json("".join(read_lines(path)), str(path), first_line=1)


def read_json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """Read a file of one JSON value a line; yields each value's place (``file:line``) with it."""
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            yield f"{path}:{number}", _parse_json(line, str(path), first_line=number)


def require(record: Any, name: str, kind: type[Value], where: str) -> Value:
    """Take field NAME of a JSON object and check its type; WHERE heads the error."""
    if not isinstance(record, Mapping):
        raise DataError(f"{where}: expected an object, found {type(record).__name__}")
    if name not in record:
        raise DataError(f"{where}: no field '{name}'. It has: {', '.join(map(str, record)) or 'nothing'}")
    if not isinstance(record[name], kind):
        raise DataError(f"{where}.{name}: expected {KIND_NAMES[kind]}, found {type(record[name]).__name__}")
    return record[name]


def _parse_json(text: str, path: str, first_line: int) -> Any:
    text = text.rstrip()  # else a file cut short is reported one line after its last
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        hint = " The file ends too early" if error.pos >= len(text) else ""
        raise DataError(f"{path}:{line}: not valid JSON ({error.msg}, column {error.colno}).{hint}") from error
