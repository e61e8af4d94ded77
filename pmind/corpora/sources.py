"""Where data comes from: the built-in generator, a local file (also .gz, .xz), or the Hub."""

import csv
import gzip
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TextIO, TypeVar

from pmind.corpora.places import SchemaError
from pmind.errors import DataError

SourceKind = Literal["builtin", "file", "hub"]
Value = TypeVar("Value")

OPENERS: Mapping[str, Callable[..., TextIO]] = {".gz": gzip.open, ".xz": lzma.open}
DATA_SUFFIXES = {".json", ".jsonl", ".txt", ".csv", ".tsv", ".parquet", ".tgz", *OPENERS}
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(:[\w.-]+)?")
KIND_NAMES = {str: "a text", list: "a list", dict: "an object", int: "a whole number", bool: "true or false"}


def source_kind(source: str) -> SourceKind:
    """Say what a ``source`` parameter means: ``builtin``, a local file or folder, or a Hub id ``owner/name[:config]``.

    Raises:
        DataError: it is a missing file, or none of the three.
    """
    path = Path(source)
    if source == "builtin":
        return "builtin"
    if source and path.exists():
        return "file"
    if path.suffix in DATA_SUFFIXES or source.startswith((".", "/", "~")):
        raise DataError(f"{source}: no such file. Paths are relative to the folder the command runs in")
    if HUB_ID.fullmatch(source):
        return "hub"
    raise DataError(
        f"source '{source}' is neither 'builtin', nor a file or folder, nor a Hub id such as rajpurkar/squad"
    )


def open_text(path: Path) -> TextIO:
    """Open a UTF-8 text file, unpacking .gz and .xz on the way; a byte order mark is skipped."""
    return OPENERS.get(path.suffix, open)(path, "rt", encoding="utf-8-sig")


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
        raise DataError(f"{path}:{_undecodable_line(path)}: not UTF-8 text ({error.reason})") from error
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise DataError(f"{path}: truncated or corrupt after line {done} ({error}). Fetch the file again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _undecodable_line(path: Path) -> int:
    """Text is decoded in blocks, so that the error comes before its line was yielded."""
    with OPENERS.get(path.suffix, open)(path, "rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return number


def read_text(path: Path) -> str:
    """Read a whole text file; errors as :func:`read_lines`."""
    return "".join(read_lines(path))


def read_json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """Read a file of one JSON value a line; yields each value's place (``file:line``) with it."""
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            yield f"{path}:{number}", parse_json(line, path, first_line=number)


def read_table(path: Path, *, header: bool, delimiter: str = ",") -> Iterator[tuple[str, list[str]]]:
    """Read a CSV or TSV file; yields each row's place (``file:line``) with its fields.

    Args:
        path: the file; quotes and line breaks in fields are understood in CSV, taken as they are in TSV.
        header: whether the first row names the fields; it is yielded, too.
        delimiter: comma or tab.

    Raises:
        DataError: see :func:`read_lines`; or a row has another number of fields than the first; names the line.
    """
    quoting = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    rows = csv.reader(read_lines(path), delimiter=delimiter, quoting=quoting, strict=delimiter != "\t")
    width, line = None, 1
    try:
        for row in rows:
            width = width or len(row)
            if row and len(row) != width:
                what = "the header has" if header else "the first row has"
                raise SchemaError(f"{path}:{line}", f"{len(row)} fields, {what} {width}")
            if row:
                yield f"{path}:{line}", row
            line = rows.line_num + 1
    except csv.Error as error:
        raise SchemaError(f"{path}:{line}", f"not valid CSV ({error})") from error


def require(record: Any, name: str, kind: type[Value], where: str) -> Value:
    """Take field NAME of a JSON object and check its type; WHERE heads the error."""
    if not isinstance(record, Mapping):
        raise SchemaError(where, f"expected an object, found {type(record).__name__}")
    if name not in record:
        raise SchemaError(where, f"no field '{name}'. It has: {', '.join(map(str, record)) or 'nothing'}")
    if not isinstance(record[name], kind):
        raise SchemaError(f"{where}.{name}", f"expected {KIND_NAMES[kind]}, found {type(record[name]).__name__}")
    return record[name]


def require_text(record: Any, name: str, where: str) -> str:
    """Take a text field that must not be blank; without the blanks around it."""
    text = require(record, name, str, where).strip()
    if not text:
        raise SchemaError(f"{where}.{name}", "is empty")
    return text


def parse_json(text: str, path: Path, first_line: int = 1) -> Any:
    """Parse a JSON text of file PATH that begins in FIRST_LINE.

    Raises:
        DataError: it is not JSON; names the line.
    """
    text = text.rstrip()  # else a file cut short is reported one line after its last
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        cut = error.pos >= len(text) or error.msg.startswith("Unterminated string")
        hint = " The file ends too early" if cut else ""
        raise DataError(f"{path}:{line}: not valid JSON ({error.msg}, column {error.colno}).{hint}") from error
