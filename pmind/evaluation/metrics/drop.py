"""Answers to DROP as its official evaluator scores them (``drop_eval.py``, Dua et al., 2019).

A number, a date or one or more spans are compared as spans of text:

- each is cut at blanks and hyphens; a token that reads as a number becomes that float, any other
  loses ASCII punctuation and, being a, an or the, itself;
- exact match: the same spans in any order, and as many of them;
- F1: predicted and expected spans are paired so that the sum of their F1 over *sets* of tokens is
  highest; a pair counts only if it shares a number where the expected span has one; the sum is
  divided by the larger number of spans and rounded to two digits, as there.

Several spans are one string here, joined by :data:`SPAN_SEPARATOR`, so a span that holds the
separator itself is taken for two on both sides.
"""

import re
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from pmind.evaluation.metrics.squad import ARTICLE, PUNCTUATION
from pmind.tasks.drop import SPAN_SEPARATOR

Bag = frozenset[str]


def drop_exact(prediction: str, references: Sequence[str]) -> float:
    """1 if the spans of PREDICTION are those of one of REFERENCES, else 0.

    A reference whose first span is blank does not count, nor do no references: both give 0.

    Example:
        >>> drop_exact("Bears; the Lions", ["Lions; Bears"]), drop_exact("3.0", ["3", "4"])
        (1.0, 1.0)
        >>> drop_exact("Lions; Lions", ["Lions"])
        0.0
    """
    return max((_exact(_spans(prediction), spans) for spans in _counted(references)), default=0.0)


def drop_f1(prediction: str, references: Sequence[str]) -> float:
    """F1 of the spans of PREDICTION, the best over REFERENCES, rounded to two digits.

    Example:
        >>> drop_f1("Lions", ["Lions; Bears"]), drop_f1("12 yards", ["13 yards"])
        (0.5, 0.0)
        >>> drop_f1("8 May", ["8 May 1945"])
        0.8
    """
    return max((_f1(_spans(prediction), spans) for spans in _counted(references)), default=0.0)


def drop_normalize(span: str) -> str:
    """SPAN as the evaluator compares it.

    Example:
        >>> drop_normalize("The 40-yard (1,200.50) pass"), drop_normalize("7")
        ('40.0 yard 120050.0 pass', '7.0')
    """
    tokens = (_normalize_token(token) for token in re.split(r"[ -]", span))
    return " ".join(token for token in tokens if token)


def _normalize_token(token: str) -> str:
    token = token.lower()
    token = token if _is_number(token) else token.translate(PUNCTUATION)
    token = str(float(token)) if _is_number(token) else token
    return " ".join(ARTICLE.sub(" ", token).split())


def _is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True


def _spans(answer: str) -> list[str]:
    return [drop_normalize(span) for span in answer.split(SPAN_SEPARATOR)]


def _counted(references: Sequence[str]) -> list[list[str]]:
    return [_spans(reference) for reference in references if reference.split(SPAN_SEPARATOR)[0].strip()]


def _exact(predicted: list[str], expected: list[str]) -> float:
    return float(set(predicted) == set(expected) and len(predicted) == len(expected))


def _f1(predicted: list[str], expected: list[str]) -> float:
    scores = np.array([[_pair_f1(Bag(answer.split()), Bag(gold.split())) for answer in predicted] for gold in expected])
    rows, columns = linear_sum_assignment(-scores)
    paired = np.zeros(max(scores.shape))
    paired[rows] = scores[rows, columns]
    return float(round(np.mean(paired), 2))


def _pair_f1(predicted: Bag, expected: Bag) -> float:
    numbers = {token for token in expected if _is_number(token)}
    if numbers and not numbers & predicted:
        return 0.0
    shared = len(predicted & expected)
    precision = shared / len(predicted) if predicted else 1.0
    recall = shared / len(expected) if expected else 1.0
    return 2 * precision * recall / (precision + recall) if precision or recall else 0.0
