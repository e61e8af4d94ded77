from itertools import combinations
from statistics import mean

import pytest

from pmind.errors import DataError
from pmind.evaluation.metrics.pass_at_k import pass_at_k


@pytest.mark.parametrize("samples", range(1, 8))
def test_it_is_the_share_of_draws_with_a_correct_program(samples):
    for correct in range(samples + 1):
        programs = [True] * correct + [False] * (samples - correct)
        for k in range(1, samples + 1):
            draws = [any(draw) for draw in combinations(programs, k)]
            assert pass_at_k(samples, correct, k) == pytest.approx(mean(draws))


def test_many_samples_do_not_overflow():
    assert pass_at_k(200, 1, 100) == pytest.approx(0.5)
    assert pass_at_k(5000, 50, 100) == pytest.approx(0.6373, abs=1e-3)


@pytest.mark.parametrize(("samples", "correct", "k"), [(0, 0, 1), (5, 6, 1), (5, -1, 1), (5, 1, 0), (5, 1, 6)])
def test_impossible_counts_are_refused(samples, correct, k):
    with pytest.raises(DataError, match=f"pass@{k} of {samples} programs, {correct} correct"):
        pass_at_k(samples, correct, k)
