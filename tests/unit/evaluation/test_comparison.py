from itertools import product

import numpy as np
import pytest

from pmind.errors import DataError
from pmind.evaluation.comparison import compare, holm, p_value
from pmind.evaluation.intervals import Clusters, cluster_sums, difference_limits
from tests.simulation import SIZES, differences

NULL = [(30, 0.1), (60, 0), (60, 0.3), (120, 0.1)]  # documents, correlation within them


def sign_flips(totals):
    """Share of all ways to swap the two methods document by document that lead at least as far from 0."""
    signs = np.array(list(product([1, -1], repeat=len(totals))))
    return np.mean(np.abs(signs @ totals) >= np.abs(np.sum(totals)) - 1e-9)


def one_question_each(scores):
    return cluster_sums(scores, [str(number) for number in range(len(scores))], (-1, 1))


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(("documents", "correlation"), NULL)
def test_equally_good_methods_have_uniform_p_values(sizes, documents, correlation):
    found = p_value(differences(np.random.default_rng(1), sizes, documents, 0.75, 0.75, correlation))
    assert 0.035 < np.mean(found < 0.05) < 0.065
    assert np.mean(found < 0.01) < 0.015
    assert 0.46 < np.mean(found < 0.5) < 0.54


@pytest.mark.parametrize("sizes", SIZES)
def test_ignoring_the_clusters_would_find_differences_where_there_are_none(sizes):
    sums = differences(np.random.default_rng(1), sizes, 60, 0.75, 0.75, 0.3)
    error = np.sqrt(sums.squares.sum(-1)) / sums.counts.sum(-1)
    assert np.mean(np.abs(sums.mean) > 1.96 * error) > 0.1


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("documents", [30, 60, 120])
def test_the_interval_covers_a_true_difference(sizes, documents):
    low, high = difference_limits(differences(np.random.default_rng(2), sizes, documents, 0.85, 0.6, 0.1))
    assert 0.93 < np.mean((low <= 0.25) & (high >= 0.25)) < 0.97


def test_p_is_below_alpha_exactly_when_the_interval_leaves_out_0():
    sums = differences(np.random.default_rng(3), "unequal", 12, 0.8, 0.6, 0.2, runs=2000)
    found = p_value(sums)
    for alpha in (0.5, 0.1, 0.05, 0.01, 0.001):
        low, high = difference_limits(sums, 1 - alpha)
        assert np.array_equal(found < alpha, (low > 0) | (high < 0))
        assert 0 < np.mean(found < alpha) < 1


@pytest.mark.parametrize("documents", [1, 2, 5, 6, 30])
@pytest.mark.parametrize("score", [-1.0, -0.6, -0.05, 0.0, 0.05, 0.6, 1.0])
def test_it_is_so_too_where_all_documents_agree(documents, score):
    agreeing = one_question_each([score] * documents)
    for alpha in (0.5, 0.1, 0.05, 0.01, 0.001):
        low, high = difference_limits(agreeing, 1 - alpha)
        assert (p_value(agreeing) < alpha) == (low > 0 or high < 0)


@pytest.mark.parametrize("documents", range(1, 9))
def test_always_right_against_always_wrong_is_the_sign_flip_test(documents):
    assert p_value(one_question_each([1.0] * documents)) == pytest.approx(sign_flips(np.ones(documents)))
    assert p_value(one_question_each([-1.0] * documents)) == pytest.approx(2.0 ** (1 - documents))


def test_a_smaller_agreed_difference_is_less_sure_than_the_sign_flip_test():
    found = p_value(one_question_each([0.5] * 8))
    assert found == pytest.approx(2 * (1 / 1.5) ** 8)
    assert found > sign_flips(np.full(8, 0.5))


def test_with_spread_it_is_close_to_the_sign_flip_test():
    for seed in range(5):
        scores = np.random.default_rng(seed).normal(0.15, 0.25, 12).clip(-1, 1)
        assert p_value(one_question_each(scores)) == pytest.approx(sign_flips(scores), abs=0.02)


def test_a_handful_of_wins_among_ties_is_less_sure_than_it_looks():
    """What the docstring warns of."""
    assert p_value(one_question_each([1.0] * 4 + [0.0] * 96)) == pytest.approx(0.045, abs=0.001)
    assert sign_flips(np.ones(4)) == 0.125
    sums = differences(np.random.default_rng(6), "mixed", 60, 0.01, 0.01, 0)
    assert np.mean(p_value(sums) < 0.05) < 0.065


def test_where_differences_have_no_bounds_agreement_proves_nothing():
    agreeing = one_question_each([0.5] * 8)
    unbounded = (-float("inf"), float("inf"))
    assert difference_limits(agreeing, 0.95, unbounded) == unbounded
    assert p_value(agreeing, unbounded) == 1


def test_documents_count_not_questions():
    """Doubling every question adds nothing that is known."""
    once = Clusters(np.array([1, 0, 2, -1, 1]), np.array([1, 0, 2, 1, 1]), np.array([2, 1, 3, 2, 2]))
    twice = Clusters(2 * once.totals, 2 * once.squares, 2 * once.counts)
    assert p_value(twice) == pytest.approx(p_value(once), rel=0.03)


def test_compare_counts_questions_won_and_lost():
    first = {"q1": 1.0, "q2": 0.5, "q3": 0.0, "q4": 1.0, "q5": 0.2}
    second = {"q5": 0.2, "q4": 0.0, "q3": 1.0, "q2": 0.25, "q1": 1.0}
    documents = {"q1": "a", "q2": "a", "q3": "b", "q4": "b", "q5": "c"}
    found = compare(first, second, documents)
    assert (found.won, found.lost, found.tied) == (2, 1, 2)
    assert found.difference.value == pytest.approx(0.05)
    assert (found.difference.n, found.difference.clusters) == (5, 3)
    assert found.p_value == p_value(cluster_sums([0, 0.25, -1, 1, 0], list("aabbc"), (-1, 1)))


def test_equal_scores_are_no_difference():
    scores = {str(number): 0.7 for number in range(40)}
    found = compare(scores, scores, {question: question for question in scores})
    assert (found.p_value, found.tied) == (1, 40)
    assert found.difference.low < 0 < found.difference.high


def test_swapping_the_methods_turns_the_sign():
    rng = np.random.default_rng(9)
    documents = {str(number): str(number // 4) for number in range(60)}
    first, second = ({question: float(rng.random() < share) for question in documents} for share in (0.8, 0.5))
    there, back = compare(first, second, documents), compare(second, first, documents)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.difference.low == pytest.approx(-back.difference.high)
    assert (there.won, there.lost) == (back.lost, back.won)


def test_grades_have_other_bounds():
    first, second = {"a": 5.0, "b": 4.0, "c": 4.0}, {"a": 1.0, "b": 3.0, "c": 4.0}
    documents = {name: name for name in first}
    with pytest.raises(DataError, match="4 is not between -1 and 1"):
        compare(first, second, documents)
    assert compare(first, second, documents, bounds=(-4, 4)).difference.value == pytest.approx(5 / 3)


def test_only_the_same_questions_can_be_compared():
    with pytest.raises(DataError, match="answered by one method only"):
        compare({"q1": 1.0}, {"q2": 1.0}, {"q1": "a", "q2": "a"})
    with pytest.raises(DataError, match="no scores"):
        compare({}, {}, {})


def test_holm_is_the_published_stepwise_rule():
    """Reject the smallest while p_(i) ≤ α / (m − i + 1); stop at the first that is not."""
    values = np.random.default_rng(4).random(12) ** 3
    adjusted = holm(values)
    for alpha in (0.01, 0.05, 0.2, 0.5):
        rejected = set()
        for place, index in enumerate(np.argsort(values)):
            if values[index] > alpha / (len(values) - place):
                break
            rejected.add(int(index))
        assert {index for index, value in enumerate(adjusted) if value <= alpha} == rejected


def test_holm_keeps_order_and_stays_a_probability():
    assert holm([]) == ()
    assert holm([0.2]) == (0.2,)
    assert holm([0.9, 0.8, 0.01]) == pytest.approx((1, 1, 0.03))


def test_holm_keeps_false_findings_rare():
    values = np.random.default_rng(5).random((2000, 10))
    assert np.mean([min(row) < 0.05 for row in values]) > 0.35
    assert np.mean([min(holm(row)) < 0.05 for row in values]) < 0.065
