"""Perplexity of a corpus: of all its units together, not a mean over its texts.

A short text weighs as little as it has tokens: exp(Σ NLL / Σ units), natural logarithms. Words and
bytes are counted as in lm-evaluation-harness (``weighted_perplexity``, ``bits_per_byte``), so that
models with different tokenisers can be compared.
"""

import math
import re
from collections.abc import Sequence

from pmind.errors import DataError

MOST_NATS = 700.0  # exp() overflows above; ln(vocabulary) is about 12


def perplexity(nll: Sequence[float], units: Sequence[int]) -> float:
    """exp of the negative log-likelihood a unit, over all texts.

    Args:
        nll: negative log-likelihood of each text in nats.
        units: tokens (or words, or bytes) of each text.

    Raises:
        DataError: no texts, lists of different lengths, no units at all, a negative count, or an
            NLL that is negative, not finite or beyond any model's.

    Example:
        >>> perplexity([2 * math.log(2), 6 * math.log(2)], [2, 2])  # 8 bits for 4 tokens
        4.0
    """
    return math.exp(_per_unit(nll, units))


def word_perplexity(nll: Sequence[float], texts: Sequence[str]) -> float:
    """Perplexity a word of TEXTS.

    Raises:
        DataError: as :func:`perplexity`.
    """
    return perplexity(nll, [count_words(text) for text in texts])


def byte_perplexity(nll: Sequence[float], texts: Sequence[str]) -> float:
    """Perplexity a UTF-8 byte of TEXTS.

    Raises:
        DataError: as :func:`perplexity`.

    Example:
        >>> byte_perplexity([3 * math.log(2)], ["好"])
        2.0
    """
    return perplexity(nll, [count_bytes(text) for text in texts])


def bits_per_byte(nll: Sequence[float], texts: Sequence[str]) -> float:
    """Bits a UTF-8 byte of TEXTS costs.

    Raises:
        DataError: as :func:`perplexity`.

    Example:
        >>> bits_per_byte([3 * math.log(2)], ["好"])
        1.0
    """
    return _per_unit(nll, [count_bytes(text) for text in texts]) / math.log(2)


def count_words(text: str) -> int:
    r"""Pieces between stretches of blanks, as the harness counts: a blank at an end opens an empty one.

    Example:
        >>> count_words("a red\n door"), count_words(" door"), count_words("")
        (3, 2, 1)
    """
    return len(re.split(r"\s+", text))


def count_bytes(text: str) -> int:
    """Bytes of TEXT in UTF-8."""
    return len(text.encode("utf-8"))


def _per_unit(nll: Sequence[float], units: Sequence[int]) -> float:
    if len(nll) != len(units) or not nll:
        raise DataError(f"{len(nll)} log-likelihoods for {len(units)} texts; each text needs one; none is no corpus")
    for index, (value, count) in enumerate(zip(nll, units, strict=True)):
        if not math.isfinite(value) or value < 0 or count < 0:
            raise DataError(
                f"text {index}: negative log-likelihood {value} over {count} units; both must be finite and at "
                "least 0. A sum of log-probabilities changes its sign first"
            )
    if sum(units) == 0:
        raise DataError("the texts have no units to divide by. Drop empty texts")
    mean = math.fsum(nll) / sum(units)
    if mean > MOST_NATS:
        raise DataError(f"{mean:.0f} nats a unit is no model's. Give nats, and the units they are spread over")
    return mean
