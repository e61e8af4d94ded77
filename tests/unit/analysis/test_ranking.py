import numpy as np
import pytest
from scipy.stats import spearmanr

from pmind.analysis.ranking import rank_correlation, repeatability, spearman
from pmind.errors import DataError

ORDER = np.arange(10.0)


def test_rank_correlation_against_scipy_with_ties():
    random = np.random.default_rng(0)
    first, second = random.integers(5, size=(2, 20))
    assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic)


def test_a_perfect_order_has_no_doubt():
    found = rank_correlation(ORDER, np.stack((ORDER**3, ORDER), axis=1))
    assert (found.rho, found.low, found.high, found.seeds_low, found.seeds_high) == (1, 1, 1, 1, 1)
    assert rank_correlation(-ORDER, ORDER[:, None]).rho == -1


def test_seeds_that_disagree_widen_their_interval():
    taxes = np.stack((ORDER, -ORDER * 0.5), axis=1)
    found = rank_correlation(ORDER, taxes)
    assert found.rho == 1  # by the mean
    assert (found.seeds_low, found.seeds_high) == (-1, 1)
    assert repeatability(taxes) == -1
    assert repeatability(ORDER[:, None]) is None


def test_with_one_seed_only_the_settings_are_in_doubt():
    swapped = ORDER.copy()
    swapped[:6] = swapped[5::-1]
    found = rank_correlation(swapped, ORDER[:, None])
    assert found.seeds_low == found.seeds_high == pytest.approx(found.rho)
    assert found.low < found.rho < found.high


def test_the_interval_covers_the_correlation_of_noise_about_as_often_as_it_says():
    random = np.random.default_rng(1)
    covered = [
        found.low <= 0 <= found.high
        for _ in range(60)
        for found in [rank_correlation(random.normal(size=25), random.normal(size=(25, 1)))]
    ]
    assert 0.85 <= np.mean(covered) <= 1


@pytest.mark.parametrize("scores", [[1.0, 2.0, 3.0], [1.0] * 5])
def test_what_cannot_be_ranked_is_an_error(scores):
    with pytest.raises(DataError, match="a ranking needs 4"):
        rank_correlation(scores, np.ones((len(scores), 2)))
