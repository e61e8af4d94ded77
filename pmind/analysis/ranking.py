"""How well a score ranks settings that were measured under several seeds: Spearman's rank correlation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from pmind.errors import DataError

DRAWS = 2000
ENDS = (2.5, 97.5)  # percentiles of the draws
FEWEST = 4  # settings that can be ranked


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's correlation with percentile intervals of a bootstrap.

    Attributes:
        rho: over the settings, with the mean of the seeds; from -1 to 1.
        low: lower end, settings and seeds drawn again.
        high: upper end.
        seeds_low: lower end, only the seeds drawn again.
        seeds_high: upper end.
    """

    rho: float
    low: float
    high: float
    seeds_low: float
    seeds_high: float


def rank_correlation(scores: Sequence[float], measured: np.ndarray, seed: int = 1) -> RankCorrelation:
    """Compare the order of SCORES with that of what was measured.

    Args:
        scores: one a setting.
        measured: ``[settings, seeds]``.
        seed: of the bootstrap.

    Raises:
        DataError: fewer than four settings, or scores that are all alike.
    """
    scores, (settings, seeds) = np.asarray(scores, dtype=float), measured.shape
    if settings < FEWEST or len(set(scores)) == 1:
        raise DataError(f"{settings} settings with {len(set(scores))} different scores: a ranking needs {FEWEST}")
    random = np.random.default_rng(seed)
    drawn_seeds = random.integers(seeds, size=(DRAWS, seeds))
    means = measured[:, drawn_seeds].mean(axis=-1).T  # [draws, settings]
    drawn = random.integers(settings, size=(DRAWS, settings))
    both = spearman(scores[drawn], np.take_along_axis(means, drawn, axis=1))
    low, high = np.nanpercentile(both, ENDS)  # a draw of one setting alone has no rank
    seeds_low, seeds_high = np.percentile(spearman(scores[None], means), ENDS)
    rho = spearman(scores, measured.mean(axis=1))
    return RankCorrelation(*map(float, (rho, low, high, seeds_low, seeds_high)))


def repeatability(measured: np.ndarray) -> float | None:
    """Mean rank correlation of one seed with the mean of the others: what no score can surpass by much.

    Returns:
        ``None`` for a single seed.
    """
    seeds = measured.shape[1]
    if seeds < 2:
        return None
    others = [np.delete(measured, seed, axis=1).mean(axis=1) for seed in range(seeds)]
    return float(np.mean([spearman(measured[:, seed], other) for seed, other in enumerate(others)]))


def spearman(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rank correlation along the last axis, ties at their mean rank; NaN where one side is all alike.

    Example:
        >>> float(spearman(np.array([1.0, 2.0, 3.0]), np.array([10.0, 30.0, 20.0])))
        0.5
    """
    first, second = (rankdata(values, axis=-1) for values in (first, second))
    first, second = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (first, second))
    with np.errstate(invalid="ignore"):
        return (first * second).sum(-1) / np.sqrt((first**2).sum(-1) * (second**2).sum(-1))
