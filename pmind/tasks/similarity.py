"""Put texts that are alike together: greedy batches by the cosine of their embeddings."""

import random
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, issparse

from pmind.errors import ModelError, ParamsError

Vectors = np.ndarray | csr_matrix  # a row for each text
Embed = Callable[[Sequence[str]], Vectors]

BLOCK = 256  # leaders compared with all free texts at once: 100 MB for 100,000 texts
ROUNDING = 1e-5  # of a cosine in float32; else equal texts would part at a threshold of 1
WORD = re.compile(r"[㐀-䶿一-鿿]|[^\W㐀-䶿一-鿿]+")  # a Han character is a word of its own
ENCODED = 64  # texts that an encoder reads at once
MAX_TOKENS = 256  # of a text that an encoder reads; the rest is cut off


def similar_batches(texts: Sequence[str], *, threshold: float, most: int, embed: Embed, seed: int) -> list[list[int]]:
    """Batches of indices of texts that are alike; every index is in exactly one.

    In a seeded order, each text that is still free leads a batch and takes the nearest free texts
    with it. Members are compared with their leader, not with each other or a moving centre: all
    are within one cosine of a text that can be named, and a batch does not drift as it grows.

    Args:
        texts: what is compared.
        threshold: least cosine of a member and its leader; above 1 every text stays alone.
        most: most texts in a batch.
        embed: texts to vectors, see :func:`pick`.
        seed: of the order in which texts lead.

    Returns:
        Batches in the order they were made; first the leader, then the others by falling cosine.

    Raises:
        ParamsError: ``most`` is less than 1.
    """
    if most < 1:
        raise ParamsError(f"a batch of at most {most} texts holds none. Use 1 or more")
    if not texts:
        return []
    order = random.Random(f"similar/{seed}").sample(range(len(texts)), len(texts))
    return list(_greedy(_unit(embed(texts)), np.array(order), threshold - ROUNDING, most))


def pick(model: str, device: str = "cpu") -> Embed:
    """The embedding called MODEL: "" is :func:`tfidf`, anything else what :func:`encoder` loads."""
    return encoder(model, device) if model else tfidf


def tfidf(texts: Sequence[str]) -> csr_matrix:
    """Weights of words, pairs of words and three letters in a row, the rarer the heavier; sparse.

    Han characters are words of their own, so Chinese is compared by characters and pairs of them.

    Example:
        >>> vectors = tfidf(["Who painted it?", "Who painted them?", "Is rain near?"])
        >>> ((vectors @ vectors[0].T).toarray().ravel() > 0.5).tolist()
        [True, True, False]
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer=_pieces, dtype=np.float32).fit_transform(texts)


def encoder(path: str | Path, device: str = "cpu") -> Embed:
    """An embedding by a Hugging Face encoder: the mean of a text's last hidden states, padding left out.

    Args:
        path: a folder or a Hub id; code that comes with a model is never run.
        device: where torch puts it.

    Raises:
        ModelError: nothing there, or no model with a tokenizer that can pad.
    """
    from transformers import AutoModel

    from pmind.models.loading import load_tokenizer, resolve_folder

    folder, tokenizer = resolve_folder(path), load_tokenizer(path)
    if tokenizer.pad_token is None:
        raise ModelError(f"{path}: its tokenizer has no padding token. Use an encoder")
    try:
        model = AutoModel.from_pretrained(folder, trust_remote_code=False).to(device).eval()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{path}: no usable encoder ({str(error).splitlines()[0][:200]})") from error
    return lambda texts: _encode(model, tokenizer, texts)


def _greedy(vectors: Vectors, free: np.ndarray, threshold: float, most: int) -> Iterator[list[int]]:
    """Batches of unit VECTORS; FREE are the rows to use, in the order in which they lead."""
    while free.size:
        taken = np.zeros(free.size, bool)
        for row, cosines in enumerate(_products(vectors[free[:BLOCK]], vectors[free])):
            if taken[row]:
                continue
            taken[row] = True
            near = np.flatnonzero((cosines >= threshold) & ~taken)
            members = near[np.argsort(-cosines[near], kind="stable")][: most - 1]
            taken[members] = True
            yield free[[row, *members]].tolist()
        free = free[~taken]


def _products(rows: Vectors, columns: Vectors) -> np.ndarray:
    products = rows @ columns.T  # [rows, columns]
    return products.toarray() if issparse(products) else products


def _unit(vectors: Vectors) -> Vectors:
    """Rows of length 1; rows of zeros stay."""
    from sklearn.preprocessing import normalize

    return normalize(vectors)


def _pieces(text: str) -> Iterator[str]:
    words = WORD.findall(text.lower()) or [text]
    yield from words
    yield from map(" ".join, pairwise(words))
    for word in words:
        framed = f"#{word}#"
        if len(word) > 3:
            yield from (f"~{framed[start : start + 3]}" for start in range(len(framed) - 2))


def _encode(model: Any, tokenizer: Any, texts: Sequence[str]) -> np.ndarray:
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))  # like lengths need little padding
    vectors = np.zeros((len(texts), model.config.hidden_size), np.float32)
    for start in range(0, len(order), ENCODED):
        indices = order[start : start + ENCODED]
        vectors[indices] = _means(model, tokenizer, [texts[index] for index in indices])
    return vectors


def _means(model: Any, tokenizer: Any, texts: list[str]) -> np.ndarray:
    import torch

    longest = min(MAX_TOKENS, getattr(model.config, "max_position_embeddings", MAX_TOKENS))
    batch = tokenizer(texts, padding=True, truncation=True, max_length=longest, return_tensors="pt").to(model.device)
    with torch.inference_mode():
        hidden = model(**batch).last_hidden_state  # [texts, tokens, D]
    mask = batch["attention_mask"][..., None]  # [texts, tokens, 1]
    return ((hidden * mask).sum(1) / mask.sum(1).clamp(min=1)).float().cpu().numpy()  # [texts, D]
