"""Means and paired differences with confidence intervals clustered by document.

Questions of one document are not independent: a model that misreads a passage misses several
of them. The standard error is therefore the cluster-robust one (CR1) of the linearised ratio
Σ score / Σ questions, with a t quantile on (documents − 1) degrees of freedom (Cameron and
Miller, 2015, "A Practitioner's Guide to Cluster-Robust Inference", section II).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from pmind.errors import DataError

Bounds = tuple[float, float]
SCORE_BOUNDS: Bounds = (0.0, 1.0)
DIFFERENCE_BOUNDS: Bounds = (-1.0, 1.0)
NO_SPREAD = 1e-12  # a standard error below this is rounding, not spread


@dataclass(frozen=True)
class Estimate:
    """A mean with its confidence interval, over N questions from CLUSTERS documents."""

    value: float
    low: float
    high: float
    n: int
    clusters: int


def mean_interval(
    scores: Sequence[float], documents: Sequence[str], confidence: float = 0.95, bounds: Bounds = SCORE_BOUNDS
) -> Estimate:
    """Mean of SCORES with its interval, clustered by DOCUMENTS and cut to BOUNDS.

    Two cases leave no spread to measure, and neither yields an interval of no width:

    - One document says nothing about other documents: the interval is BOUNDS.
    - All documents agree (every score the same, say): among G documents none was of another
      kind, so with the asked confidence their share is at most k = 1 − (α/2)^(1/G), the exact
      binomial form of the "rule of three". Were these at the bounds, the mean would lie between
      value − k·(value − lowest) and value + k·(highest − value). At 120 documents k is 0.03.

    Raises:
        DataError: there are no scores.
    """
    if not scores:
        raise DataError("no scores to average. Check that decoding wrote at least one answer")
    totals, counts = _cluster_sums(scores, documents)
    value, error = float(totals.sum() / counts.sum()), float(standard_error(totals, counts))
    low, high = _limits(value, error, len(counts), confidence, bounds)
    return Estimate(value, max(low, bounds[0]), min(high, bounds[1]), len(scores), len(counts))


def paired_difference(
    first: Mapping[str, float], second: Mapping[str, float], documents: Mapping[str, str], confidence: float = 0.95
) -> Estimate:
    """Mean of FIRST − SECOND over the same question ids, with its interval.

    Args:
        first: score of each question id under one method, in [0, 1].
        second: the same under the other.
        documents: document of each question id.
        confidence: level of the interval.

    Raises:
        DataError: the two methods did not answer the same questions.
    """
    unpaired = sorted(first.keys() ^ second.keys())
    if unpaired:
        raise DataError(
            f"{len(unpaired)} questions were answered by one method only, '{unpaired[0]}' for one; "
            "a paired difference needs the same questions. Decode both methods again: dvc repro decode"
        )
    differences = [first[question] - second[question] for question in first]
    return mean_interval(differences, [documents[question] for question in first], confidence, DIFFERENCE_BOUNDS)


def standard_error(totals: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Cluster-robust standard error of Σ totals / Σ counts.

    Args:
        totals: ``[..., G]`` sum of the scores of each of G documents.
        counts: ``[..., G]`` number of questions of each document.

    Returns:
        ``[...]`` standard errors; 0 where G = 1.
    """
    clusters = totals.shape[-1]
    questions = counts.sum(-1)  # [...]
    residuals = totals - counts * (totals.sum(-1) / questions)[..., None]  # [..., G]
    correction = clusters / max(clusters - 1, 1)
    return np.sqrt(correction * np.square(residuals).sum(-1)) / questions


def _limits(value: float, error: float, clusters: int, confidence: float, bounds: Bounds) -> Bounds:
    if clusters == 1:
        return bounds
    if error < NO_SPREAD:
        share = 1 - ((1 - confidence) / 2) ** (1 / clusters)
        return value - share * (value - bounds[0]), value + share * (bounds[1] - value)
    margin = error * float(stats.t.ppf((1 + confidence) / 2, clusters - 1))
    return value - margin, value + margin


def _cluster_sums(scores: Sequence[float], documents: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    names, index = np.unique(np.asarray(documents), return_inverse=True)
    return np.bincount(index, weights=scores, minlength=len(names)), np.bincount(index, minlength=len(names))
