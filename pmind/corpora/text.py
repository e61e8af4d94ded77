"""Pretraining documents, each a tuple of sentences that can be put in another order."""

import hashlib
import random
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Literal

from pmind.corpora.builtin_text import Document, text_documents
from pmind.corpora.hub import hub_stream
from pmind.corpora.sources import read_json_lines, read_lines, require, source_kind
from pmind.errors import DataError

VAL_ONE_IN = 20  # documents of a foreign source
SENTENCE = re.compile(r".+?(?:[.!?]+[\"'”’)\]]*\s+|[。!?！？；]+[”’」』）]*\s*|\n+|$)", re.DOTALL)


def read_documents(source: str, split: Literal["train", "val"], count: int, seed: int) -> list[Document]:
    """Read at most COUNT documents; train and val share none, whatever the seed.

    Args:
        source: ``builtin``; a .txt file (documents apart by a blank line) or .jsonl file (field
            ``text``), also .gz and .xz; or a Hub id, whose train split is streamed.
        split: which part; of a foreign source one document in 20 is for val, by a hash of its text.
        count: at most this many documents.
        seed: which documents, where there are more.

    Raises:
        DataError: the source cannot be read, or has no document for the split.
    """
    kind = source_kind(source)
    if kind == "builtin":
        return text_documents(split, count, seed)
    if kind == "hub":
        return _documents(islice(_of_split(_hub_texts(source), split), count), source, split)
    texts = list(_of_split(_file_texts(Path(source)), split))
    if len(texts) > count:
        texts = random.Random(f"documents/{seed}").sample(texts, count)
    return _documents(texts, source, split)


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


def _documents(texts: Iterable[str], source: str, split: str) -> list[Document]:
    documents = [split_sentences(text) for text in texts]
    if not documents:
        raise DataError(f"{source}: no documents for {split}. One in {VAL_ONE_IN} is for val; use a larger source")
    return documents


def _of_split(texts: Iterable[str], split: str) -> Iterator[str]:
    """Texts of a split, each once."""
    seen: set[bytes] = set()
    for text in texts:
        digest = hashlib.sha256(text.encode()).digest()
        if digest not in seen and (digest[0] % VAL_ONE_IN == 0) == (split == "val"):
            seen.add(digest)
            yield text


def _file_texts(path: Path) -> Iterator[str]:
    suffixes = [suffix for suffix in path.suffixes if suffix not in {".gz", ".xz"}]
    if suffixes[-1:] == [".jsonl"]:
        texts = (require(record, "text", str, where) for where, record in read_json_lines(path))
    elif suffixes[-1:] == [".txt"]:
        texts = _paragraphs(read_lines(path))
    else:
        raise DataError(f"{path}: unknown kind of text file. Use .txt or .jsonl, also with .gz or .xz")
    return (text.strip() for text in texts if text.strip())


def _paragraphs(lines: Iterable[str]) -> Iterator[str]:
    block = ""
    for line in lines:
        if line.strip():
            block += line
        else:
            yield block
            block = ""
    yield block


def _hub_texts(source: str) -> Iterator[str]:
    for number, row in enumerate(hub_stream(source, "train")):
        text = require(row, "text", str, f"{source} row {number}").strip()
        if text:
            yield text
