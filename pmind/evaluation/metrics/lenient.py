"""Lenient match: does the answer say the reference, or the reference the answer?

A wordy answer that holds the expected one counts, and so does a part of it, which is why this is
no replacement for exact match: "no" is held by "no country".
"""

from collections.abc import Sequence

from pmind.evaluation.text_match import answer_tokens


def lenient_match(prediction: str, references: Sequence[str]) -> float:
    """1 if PREDICTION holds one of REFERENCES or is held by one, else 0.

    Both are normalised and cut into tokens as in :func:`~pmind.evaluation.text_match.answer_tokens`:
    words, so that "cat" is not in "category", and single Chinese characters. What normalises to
    nothing matches nothing.

    Example:
        >>> lenient_match("It is the red door.", ["red door"]), lenient_match("door", ["red door"])
        (1.0, 1.0)
        >>> lenient_match("category", ["cat"]), lenient_match("", ["cat"]), lenient_match("the", ["a"])
        (0.0, 0.0, 0.0)
        >>> lenient_match("考虑为高血压病", ["高血压"])
        1.0
    """
    answer = answer_tokens(prediction)
    expected = [answer_tokens(reference) for reference in references]
    return float(any(contains(answer, tokens) or contains(tokens, answer) for tokens in expected))


def contains(tokens: Sequence[str], part: Sequence[str]) -> bool:
    """Whether PART, which is not empty, occurs in TOKENS without a gap.

    Example:
        >>> contains(["red", "door", "key"], ["door", "key"]), contains(["red"], [])
        (True, False)
    """
    size = len(part)
    return size > 0 and any(tokens[start : start + size] == part for start in range(len(tokens) - size + 1))
