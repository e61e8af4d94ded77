"""Pretraining documents, each a tuple of sentences that can be put in another order."""

import hashlib
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pmind.corpora.builtin_text import Document, linked_documents, text_documents
from pmind.corpora.hub import hub_stream
from pmind.corpora.sources import read_json_lines, read_lines, require, source_kind
from pmind.corpora.titles import normal_title
from pmind.errors import DataError

Entry = tuple[str, str]  # title or "", text

BUILTIN = {"builtin": text_documents, "builtin-chained": linked_documents}
VAL_ONE_IN = 20  # documents of a foreign source
SENTENCE = re.compile(r".+?(?:[.!?]+[\"'”’)\]]*\s+|[。!?！？；]+[”’」』）]*\s*|\n+|$)", re.DOTALL)


@dataclass(frozen=True)
class Corpus:
    """Documents of one split, and how many were left out for their titles."""

    documents: list[Document]
    left_out: int = 0


def read_documents(
    source: str, split: Literal["train", "val"], count: int, seed: int, without: frozenset[str] = frozenset()
) -> Corpus:
    """Read at most COUNT documents; train and val share none, whatever the seed.

    Args:
        source: ``builtin``, or ``builtin-chained`` for the tasks chained and hinted; a .txt file
            (documents apart by a blank line) or .jsonl file (field ``text``, and ``title`` where
            there is one), also .gz and .xz; or a Hub id, whose train split is streamed until there
            are enough.
        split: which part; of a foreign source one document in 20 is for val, by a hash of its text.
        count: at most this many documents.
        seed: which documents, where there are more.
        without: documents with one of these titles are left out and counted, see
            :func:`pmind.corpora.titles.article_titles`; documents without a title are kept.

    Raises:
        DataError: the source cannot be read, or has no document for the split.
    """
    if source in BUILTIN:
        return Corpus(BUILTIN[source](split, count, seed))
    if source_kind(source) == "hub":
        texts, left_out = _kept(_of_split(_hub_entries(source), split), without, count)
    else:
        texts, left_out = _kept(_of_split(_file_entries(Path(source)), split), without)
        if len(texts) > count:
            texts = random.Random(f"documents/{seed}").sample(texts, count)
    if not texts:
        raise DataError(f"{source}: no documents for {split}. One in {VAL_ONE_IN} is for val; use a larger source")
    return Corpus([split_sentences(text) for text in texts], left_out)


def split_sentences(text: str) -> Document:
    """Cut a text after sentence marks and line ends; each sentence ends with its own separator.

    Example:
        >>> split_sentences("It is 3.5 m. Is it? Yes.")
        ('It is 3.5 m. ', 'Is it? ', 'Yes. ')
        >>> split_sentences("他发热。无咳嗽。")
        ('他发热。', '无咳嗽。')
    """
    sentences = (sentence.strip() for sentence in SENTENCE.findall(text))
    return tuple(_separated(sentence) for sentence in sentences if sentence)


def _separated(sentence: str) -> str:
    return sentence + " " if sentence[-1].isascii() else sentence


def _kept(entries: Iterable[Entry], without: frozenset[str], count: int | None = None) -> tuple[list[str], int]:
    """Texts whose title is none of WITHOUT, at most COUNT, and how many were left out on the way."""
    texts: list[str] = []
    left_out = titled = 0
    for title, text in entries:
        titled += bool(title)
        if normal_title(title) in without:
            left_out += 1
            continue
        texts.append(text)
        if len(texts) == count:
            break
    if without and texts and not titled:
        raise DataError(
            "text.without names articles, but no document of text.source has a title to tell it by. "
            "Give .jsonl records a field 'title', or set text.without to ''"
        )
    return texts, left_out


def _of_split(entries: Iterable[Entry], split: str) -> Iterator[Entry]:
    """Entries of a split, each text once."""
    seen: set[bytes] = set()
    for title, text in entries:
        digest = hashlib.sha256(text.encode()).digest()
        if digest not in seen and (digest[0] % VAL_ONE_IN == 0) == (split == "val"):
            seen.add(digest)
            yield title, text


def _file_entries(path: Path) -> Iterator[Entry]:
    suffixes = [suffix for suffix in path.suffixes if suffix not in {".gz", ".xz"}]
    if suffixes[-1:] == [".jsonl"]:
        entries = (_entry(record, where) for where, record in read_json_lines(path))
    elif suffixes[-1:] == [".txt"]:
        entries = (("", text.strip()) for text in _paragraphs(read_lines(path)))
    else:
        raise DataError(f"{path}: unknown kind of text file. Use .txt or .jsonl, also with .gz or .xz")
    return (entry for entry in entries if entry[1])


def _hub_entries(source: str) -> Iterator[Entry]:
    entries = (_entry(row, f"{source} row {number}") for number, row in enumerate(hub_stream(source, "train")))
    return (entry for entry in entries if entry[1])


def _entry(record: Any, where: str) -> Entry:
    text = require(record, "text", str, where).strip()
    return str(record.get("title") or ""), text


def _paragraphs(lines: Iterable[str]) -> Iterator[str]:
    block = ""
    for line in lines:
        if line.strip():
            block += line
        else:
            yield block
            block = ""
    yield block
