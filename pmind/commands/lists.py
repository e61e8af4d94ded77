"""Options that take several values separated by commas."""

from typing import TypeVar

from pmind.errors import DecodingError

Number = TypeVar("Number", int, float)


def words(text: str) -> tuple[str, ...]:
    """The values of a list, each once.

    Example:
        >>> words("parallel, batch,")
        ('parallel', 'batch')
    """
    return tuple(dict.fromkeys(filter(None, (part.strip() for part in text.split(",")))))


def numbers(option: str, text: str, kind: type[Number]) -> tuple[Number, ...]:
    """The values of a list of numbers; OPTION is named in errors."""
    try:
        return tuple(kind(part) for part in words(text))
    except ValueError as error:
        raise DecodingError(f"--{option} takes numbers separated by commas, such as 1,8,16; not {text!r}") from error
