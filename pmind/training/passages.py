"""Documents are cut into passages that fit a branch, and tokenised once."""

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from pmind.corpora.text import read_documents
from pmind.corpora.titles import article_titles
from pmind.geometry import TokenIds
from pmind.params import TextParams

Passage = tuple[str, ...]  # sentences
Encode = Callable[[Sequence[str]], list[list[int]]]

DOCUMENTS = 64  # tokenised at a time


@dataclass(frozen=True)
class Text:
    """Token ids of a text, and whether it ends there, so that the stop token follows."""

    ids: TokenIds
    complete: bool


@dataclass(frozen=True)
class Passages:
    """Passages of documents in their order; a corpus takes 4 bytes a token beside its sentences.

    Attributes:
        sentences: ``[P]``, of each passage.
        ids: token ids of all passages one after another, int32, each passage cut to what a branch holds.
        starts: ``[P + 1]``, where each passage starts in ``ids``; the last is their end.
        cut: ``[P]``, how many tokens each passage lost at its end.
        documents: ``[D + 1]``, number of each document's first passage; the last is P.
        left_out: documents that were left out for their titles.
    """

    sentences: Sequence[Passage]
    ids: array
    starts: array
    cut: array
    documents: array
    left_out: int = 0

    def __len__(self) -> int:
        """Number of passages."""
        return len(self.sentences)

    def text(self, number: int) -> Text:
        """A passage as it is trained on."""
        return Text(self.ids[self.starts[number] : self.starts[number + 1]].tolist(), not self.cut[number])

    def length(self, number: int) -> int:
        """Tokens of a passage."""
        return self.starts[number + 1] - self.starts[number]

    def document_of(self, number: int) -> range:
        """Numbers of all passages of a passage's document."""
        document = bisect_right(self.documents, number) - 1
        return range(self.documents[document], self.documents[document + 1])

    def digest(self) -> str:
        """A digest of all that a run could read of them."""
        digest = hashlib.sha256()
        for numbers in (self.ids, self.starts, self.cut, self.documents):
            digest.update(memoryview(numbers))
        for sentences in self.sentences:
            digest.update("\x1f".join(sentences).encode())
        return digest.hexdigest()

    def counts(self) -> dict[str, int]:
        """How much there is, and how much was cut off."""
        return {
            "documents": len(self.documents) - 1,
            "documents_left_out": self.left_out,
            "passages": len(self),
            "text_tokens": len(self.ids),
            "texts_cut": sum(tokens > 0 for tokens in self.cut),
            "tokens_cut": sum(self.cut),
        }


def encoder(tokenizer: PreTrainedTokenizerBase) -> Encode:
    """A function from texts to token ids, without special tokens."""

    def encode(texts: Sequence[str]) -> list[list[int]]:
        options = {"add_special_tokens": False, "return_attention_mask": False, "return_token_type_ids": False}
        return tokenizer(list(texts), **options)["input_ids"]

    return encode


def read_passages(
    params: TextParams, split: Literal["train", "val"], seed: int, encode: Encode, max_tokens: int
) -> Passages:
    """Read a split of the pipeline's text and cut it into passages; errors as :func:`read_documents`."""
    count = params.train_documents if split == "train" else params.val_documents
    corpus = read_documents(params.source, split, count, seed, article_titles(params.without))
    return replace(cut_passages(corpus.documents, encode, max_tokens), left_out=corpus.left_out)


def cut_passages(documents: Sequence[Passage], encode: Encode, max_tokens: int) -> Passages:
    """Cut documents between sentences into passages of at most ``max_tokens`` tokens.

    A passage is tokenised as one text, as a prompt or a context is in decoding, and holds no part
    of another document. A single sentence that is longer is a passage of its own and loses its end.

    Args:
        documents: sentences of each.
        encode: texts to ids.
        max_tokens: most tokens a passage.
    """
    sentences: list[Passage] = []
    ids, starts, cut, firsts = array("i"), array("q", [0]), array("q"), array("q", [0])
    for batch in _batches(documents):
        fitted = list(_fitted(batch, encode, max_tokens))
        passages = [passage for document in fitted for passage in document]
        for text in encode([joined(passage) for passage in passages]):
            ids.extend(text[:max_tokens])
            starts.append(len(ids))
            cut.append(max(0, len(text) - max_tokens))
        for document in fitted:
            firsts.append(firsts[-1] + len(document))
        sentences += passages
    return Passages(sentences, ids, starts, cut, firsts)


def joined(sentences: Passage) -> str:
    """The text that sentences make, without the last one's separator."""
    return "".join(sentences).rstrip()


def _batches(documents: Sequence[Passage]) -> Iterator[Sequence[Passage]]:
    """Batches that the fast tokenizers work through on all cores."""
    with tqdm(total=len(documents), desc="tokenise", unit="document", disable=None, leave=False) as bar:
        for first in range(0, len(documents), DOCUMENTS):
            batch = documents[first : first + DOCUMENTS]
            yield batch
            bar.update(len(batch))


def _fitted(documents: Sequence[Passage], encode: Encode, max_tokens: int) -> Iterator[list[Passage]]:
    lengths = iter(map(len, encode([sentence for document in documents for sentence in document])))
    for document in documents:
        passages: list[list[str]] = []
        room = 0
        for sentence in document:
            length = next(lengths)
            if length > room or not passages:
                passages.append([])
                room = max_tokens
            passages[-1].append(sentence)
            room -= length
        yield [tuple(passage) for passage in passages]
