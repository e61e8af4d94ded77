"""Documents are cut into passages that fit a branch."""

from collections.abc import Callable, Iterable, Sequence

from transformers import PreTrainedTokenizerBase

Passage = tuple[str, ...]  # sentences
Encode = Callable[[Sequence[str]], list[list[int]]]


def encoder(tokenizer: PreTrainedTokenizerBase) -> Encode:
    """A function from texts to token ids, without special tokens."""

    def encode(texts: Sequence[str]) -> list[list[int]]:
        return tokenizer(list(texts), add_special_tokens=False)["input_ids"]

    return encode


def cut_passages(documents: Iterable[Passage], encode: Encode, max_tokens: int) -> list[Passage]:
    """Cut documents between sentences into passages of at most ``max_tokens`` tokens.

    A single sentence that is longer becomes a passage of its own, to be cut when it is laid out.
    """
    return [passage for document in documents for passage in _cut(document, encode, max_tokens)]


def _cut(document: Passage, encode: Encode, max_tokens: int) -> list[Passage]:
    passages: list[list[str]] = []
    room = 0
    for sentence, ids in zip(document, encode(document), strict=True):
        if len(ids) > room or not passages:
            passages.append([])
            room = max_tokens
        passages[-1].append(sentence)
        room -= len(ids)
    return [tuple(passage) for passage in passages]
