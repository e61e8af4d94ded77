"""Titles of a question set's articles, so that a text corpus can leave those articles out."""

import unicodedata
from pathlib import Path
from urllib.parse import unquote

from pmind.corpora.places import naming_lines
from pmind.corpora.sources import parse_json, read_text, require
from pmind.errors import DataError

FILES = ("*.json", "*.json.xz", "*.json.gz")


def article_titles(source: str) -> frozenset[str]:
    """Titles of all articles of a SQuAD-schema file, or of all such files in a folder, normalised.

    Args:
        source: a .json file (.gz, .xz too) with ``data[].title``, or a folder of them; "" gives none.

    Raises:
        DataError: there is no such file, it has another schema, or no article has a title.
    """
    if not source:
        return frozenset()
    titles = frozenset(title for file in _files(Path(source)) for title in _titles_of(file)) - {""}
    if not titles:
        raise DataError(f"{source}: no article has a title. Name a file in SQuAD's schema (data[].title)")
    return titles


def normal_title(title: str) -> str:
    """A title as it is compared: SQuAD writes underscores and percent signs where Wikipedia has none.

    Traditional and simplified characters stay different.

    Example:
        >>> normal_title("Fr%C3%A9d%C3%A9ric_Chopin") == normal_title("frédéric  Chopin")
        True
    """
    return " ".join(unicodedata.normalize("NFKC", unquote(title)).casefold().replace("_", " ").split())


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    files = sorted({file for pattern in FILES for file in path.rglob(pattern)})
    if not files:
        raise DataError(f"{path}: no such file, or a folder without {', '.join(FILES)}")
    return files


def _titles_of(path: Path) -> list[str]:
    text = read_text(path)
    with naming_lines(path, text):
        articles = require(parse_json(text, path), "data", list, str(path))
        checked = (require(article, "title", str, f"{path}: data[{i}]") for i, article in enumerate(articles))
        return [normal_title(title) for title in checked]
