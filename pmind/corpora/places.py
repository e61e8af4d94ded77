"""Where in a file something is wrong: places in JSON documents become lines.

Loaders name a place as ``FILE: data[3].paragraphs[0].qas[1]`` in a JSON document and as
``FILE:LINE`` in files of one record a line. Only when such a place heads an error is the document
walked once more to find the line.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from json.decoder import scanstring
from pathlib import Path

from pmind.errors import DataError

Step = str | int
STEP = re.compile(r"\[(\d+)\]|\.?([^.\[\]]+)")
BLANKS = re.compile(r"[ \t\n\r]*")


class SchemaError(DataError):
    """A record is not what its dataset's schema says.

    Args:
        where: place of the record.
        problem: what is wrong with it, and the way out.
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where, self.problem = where, problem


@contextmanager
def naming_lines(path: Path, text: str) -> Iterator[None]:
    """Add the line to a :class:`SchemaError` about a place in the JSON document TEXT of PATH."""
    try:
        yield
    except SchemaError as error:
        place = error.where.removeprefix(str(path))
        if place == error.where or not (place == "" or place.startswith((": ", "."))):
            raise
        place = place.lstrip(": .")
        said = f"{place}: {error.problem}" if place else error.problem
        raise SchemaError(f"{path}:{line_of(text, steps(place))}", said) from error


def steps(place: str) -> list[Step]:
    """Keys and indices of a place.

    Example:
        >>> steps("data[3].qas[0].id")
        ['data', 3, 'qas', 0, 'id']
    """
    return [int(index) if index else key for index, key in STEP.findall(place)]


def line_of(text: str, path: Sequence[Step]) -> int:
    """Line of a value in a JSON document; of the innermost value that exists, where PATH leads nowhere.

    Example:
        >>> line_of('{"data": [\\n 1,\\n {"id": 2}]}', ["data", 1, "id"])
        3
    """
    at = _skip_blanks(text, 0)
    for step in path:
        inner = _member(text, at, step) if text[at] == "{" else _element(text, at, step) if text[at] == "[" else None
        if inner is None:
            break
        at = inner
    return text.count("\n", 0, at) + 1


def _member(text: str, at: int, key: Step) -> int | None:
    """Where the value of KEY begins in the object that begins at AT."""
    at = _skip_blanks(text, at + 1)
    while text[at] != "}":
        name, at = scanstring(text, at + 1, True)
        at = _skip_blanks(text, _skip_blanks(text, at) + 1)
        if name == key:
            return at
        at = _next(text, at)
    return None


def _element(text: str, at: int, index: Step) -> int | None:
    """Where element INDEX of the list that begins at AT begins."""
    at, number = _skip_blanks(text, at + 1), 0
    while text[at] != "]":
        if number == index:
            return at
        at, number = _next(text, at), number + 1
    return None


def _next(text: str, at: int) -> int:
    """Where what follows the value at AT begins, its comma skipped."""
    at = _skip_blanks(text, json.JSONDecoder().raw_decode(text, at)[1])
    return _skip_blanks(text, at + 1) if text[at] == "," else at


def _skip_blanks(text: str, at: int) -> int:
    return BLANKS.match(text, at).end()
