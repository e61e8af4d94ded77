"""Two methods on the same questions: how far apart, how surely, and on how many questions.

The p-value asks whether the mean difference is 0. It is made to agree with the interval of
:mod:`pmind.evaluation.intervals`: below α exactly when the (1 − α) interval leaves out 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pmind.evaluation.intervals import (
    DIFFERENCE_BOUNDS,
    NO_SPREAD,
    Bounds,
    Clusters,
    Estimate,
    degrees_of_freedom,
    paired_difference,
    paired_sums,
    standard_error,
)


@dataclass(frozen=True)
class Comparison:
    """A first method against a second one.

    Attributes:
        difference: mean of first − second.
        p_value: two-sided, that the mean difference is 0.
        won: questions on which the first scores higher.
        lost: questions on which it scores lower.
        tied: questions on which both score the same.
    """

    difference: Estimate
    p_value: float
    won: int
    lost: int
    tied: int


def compare(
    first: Mapping[str, float],
    second: Mapping[str, float],
    documents: Mapping[str, str],
    confidence: float = 0.95,
    bounds: Bounds = DIFFERENCE_BOUNDS,
) -> Comparison:
    """Compare the scores of the same question ids under two methods.

    Args:
        first: score of each question id under one method.
        second: the same under the other.
        documents: document of each question id.
        confidence: level of the interval; the p-value does not depend on it.
        bounds: least and greatest difference there can be.

    Raises:
        DataError: the two methods did not answer the same questions, there are none, or a
            difference is out of bounds.
    """
    estimate = paired_difference(first, second, documents, confidence, bounds)
    chance = p_value(paired_sums(first, second, documents, bounds), bounds)
    won = sum(score > second[question] for question, score in first.items())
    lost = sum(score < second[question] for question, score in first.items())
    return Comparison(estimate, float(chance), won, lost, len(first) - won - lost)


def p_value(differences: Clusters, bounds: Bounds = DIFFERENCE_BOUNDS) -> np.ndarray:
    """``[...]`` two-sided p-values of a mean difference of 0.

    Where documents differ from each other it is that of the cluster t test. Where all agree on a
    mean difference d, a t test has no spread to go by. The interval is then the exact binomial one
    of :func:`~pmind.evaluation.intervals.mean_limits`, and solving it for 0 gives
    2·(l / (l + |d|))^G, where l is how far beyond 0 the other way a difference can lie. With
    d = l = 1, one method right and the other wrong on everything, that is 2^(1−G): the exact
    sign-flip permutation test over G documents. It is 1 for one document, and where all is tied.

    Where all but a handful of documents are tied, the t test errs as rarely as it says over all
    samples, but not given that handful: 4 documents won, none lost and many tied have p = 0.045,
    a sign test among the 4 says 0.125. Numbers won and lost are told beside it for that reason.

    Args:
        differences: first − second, summed by document.
        bounds: least and greatest difference there can be.

    Example:
        >>> better = Clusters(totals=np.full(4, 2), squares=np.full(4, 2), counts=np.full(4, 2))
        >>> p_value(better).item()  # 4 documents of 2 questions, all of them won: 2 · (1/2)⁴
        0.125
    """
    documents = differences.totals.shape[-1]
    value, error = differences.mean, standard_error(differences)
    if documents == 1:
        return np.ones_like(value)
    spread = error >= NO_SPREAD
    t = np.abs(value) / np.where(spread, error, 1)
    beyond = np.where(value > 0, -bounds[0], bounds[1])
    share = np.abs(value) / (np.abs(value) + beyond)  # not l / (l + |d|): l may be infinite
    agreeing = np.minimum(2 * (1 - share) ** documents, 1)
    return np.where(spread, 2 * stats.t.sf(t, degrees_of_freedom(differences)), agreeing)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjust P_VALUES for being many: the chance of any false finding among them is kept at α.

    Holm (1979), "A Simple Sequentially Rejective Multiple Test Procedure": the i-th smallest of m
    is multiplied by m − i + 1, and none may fall below a smaller one. It needs no independence.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        (0.03, 0.06, 0.06)
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    stepped = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * factors), 1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = stepped
    return tuple(adjusted.tolist())
