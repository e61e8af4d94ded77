import numpy as np
import pytest
from scipy import stats

from pmind.errors import DataError
from pmind.evaluation.intervals import (
    Clusters,
    cluster_sums,
    degrees_of_freedom,
    difference_limits,
    mean_interval,
    mean_limits,
    paired_difference,
    standard_error,
)
from tests.simulation import SIZES, right_answers

CASES = [
    (sizes, documents, mean, correlation)
    for sizes in SIZES
    for documents, mean, correlation in [
        (30, 0.5, 0.3), (30, 0.75, 0.1), (30, 0.9, 0.1), (60, 0.9, 0.3), (120, 0.5, 0), (120, 0.75, 0.3),
        (120, 0.9, 0.3), (60, 0.75, 0.6),
    ]
]  # fmt: skip


def coverage(limits, truth):
    low, high = limits
    return np.mean((low <= truth) & (truth <= high))


@pytest.mark.parametrize(("sizes", "documents", "mean", "correlation"), CASES)
def test_the_interval_covers_the_truth_as_often_as_it_says(sizes, documents, mean, correlation):
    answers = right_answers(np.random.default_rng(1), sizes, documents, mean, correlation)
    assert 0.93 < coverage(mean_limits(answers), mean) < 0.97


@pytest.mark.parametrize("confidence", [0.8, 0.9, 0.99])
def test_it_does_so_at_other_levels(confidence):
    answers = right_answers(np.random.default_rng(1), "mixed", 60, 0.75, 0.2)
    share = coverage(mean_limits(answers, confidence), 0.75)
    assert abs(share - confidence) < 0.4 * (1 - confidence)


def test_ignoring_the_clusters_would_not_cover_it():
    answers = right_answers(np.random.default_rng(1), "mixed", 60, 0.75, 0.3)
    margin = 1.96 * np.sqrt(answers.mean * (1 - answers.mean) / answers.counts.sum(-1))
    assert np.mean(np.abs(answers.mean - 0.75) <= margin) < 0.85


def test_a_plain_t_interval_would_not_cover_it_where_documents_differ_in_size():
    """Why CR2, its degrees of freedom and the log-odds: CR1 with a t quantile falls short."""
    answers = right_answers(np.random.default_rng(1), "unequal", 30, 0.9, 0.3)
    residuals = answers.totals - answers.counts * answers.mean[..., None]
    error = np.sqrt(30 / 29 * np.square(residuals).sum(-1)) / answers.counts.sum(-1)
    margin = stats.t.ppf(0.975, 29) * error
    assert np.mean(np.abs(answers.mean - 0.9) <= margin) < 0.88
    assert coverage(mean_limits(answers), 0.9) > 0.93


def test_standard_error_is_the_hand_computed_one():
    sums = cluster_sums([1, 1, 0, 1, 0, 0], ["a", "a", "a", "b", "b", "c"])
    residuals, shares = np.array([2 - 1.5, 1 - 1, 0 - 0.5]), np.array([3, 2, 1]) / 6
    assert standard_error(sums) == pytest.approx(np.sqrt(np.sum(residuals**2 / (1 - shares))) / 6)


def test_standard_error_is_that_of_the_regression_formula():
    """CR2 as Bell and McCaffrey write it: A = (I − H)^(−1/2) on each document's residuals."""
    rng = np.random.default_rng(5)
    documents = np.repeat(np.arange(6), [1, 2, 3, 5, 8, 13])
    scores = rng.random(32)
    residuals, total = scores - scores.mean(), 0.0
    for document in range(6):
        inside = documents == document
        projection = np.full((inside.sum(), inside.sum()), 1 / 32)
        values, vectors = np.linalg.eigh(np.eye(inside.sum()) - projection)
        adjusted = vectors @ np.diag(values**-0.5) @ vectors.T @ residuals[inside]
        total += adjusted.sum() ** 2
    assert standard_error(cluster_sums(scores, documents)) == pytest.approx(np.sqrt(total) / 32)


def test_degrees_of_freedom_are_those_of_the_matrix():
    """Satterthwaite's from the N × N matrices themselves, under the measured correlation."""
    rng = np.random.default_rng(6)
    documents = np.repeat(np.arange(6), [1, 2, 3, 5, 8, 13])
    scores = (rng.random(6)[documents] + rng.random(32)) / 2
    inside = np.eye(6)[documents]  # [32, 6]
    residuals = scores - scores.mean()
    together = inside @ inside.T - np.eye(32)
    correlation = (residuals @ together @ residuals / together.sum()) / np.mean(residuals**2)
    assert 0.1 < correlation < 0.9
    model = (1 - correlation) * np.eye(32) + correlation * inside @ inside.T
    columns = (np.eye(32) - 1 / 32) @ (inside / np.sqrt(1 - inside.mean(0)))  # [32, 6]
    matrix = columns.T @ model @ columns
    expected = np.trace(matrix) ** 2 / np.sum(matrix**2)
    assert degrees_of_freedom(cluster_sums(scores, documents)) == pytest.approx(expected)


@pytest.mark.parametrize("correlation", [0, 0.5])
def test_documents_of_one_size_have_one_degree_of_freedom_less(correlation):
    answers = right_answers(np.random.default_rng(7), "mixed", 20, 0.5, correlation, runs=5)
    equal = Clusters(answers.totals, answers.squares + 20, np.full_like(answers.counts, 11))
    assert degrees_of_freedom(equal) == pytest.approx(19)


def test_few_large_documents_leave_fewer_degrees_of_freedom():
    counts = np.array([100, 100, *[1] * 28])
    totals = np.array([90, 40, *[0, 1] * 14])
    assert 1 <= degrees_of_freedom(Clusters(totals, totals, counts)) < 3


def test_the_interval_is_the_textbook_one_in_log_odds():
    """Questions alone in their document: standard error s / √n, carried to the log-odds by its slope."""
    scores = np.random.default_rng(2).random(50)
    estimate = mean_interval(list(scores), [str(number) for number in range(50)])
    mean, error = scores.mean(), scores.std(ddof=1) / np.sqrt(50)
    margin = stats.t.ppf(0.975, 49) * error / (mean * (1 - mean))
    odds = np.log(mean / (1 - mean)) + np.array([-margin, margin])
    assert (estimate.low, estimate.high) == pytest.approx(tuple(1 / (1 + np.exp(-odds))))
    assert (estimate.value, estimate.n, estimate.clusters) == (pytest.approx(mean), 50, 50)


def test_other_bounds_are_the_same_interval_on_another_scale():
    scores = list(np.random.default_rng(2).random(50))
    documents = [str(number // 3) for number in range(50)]
    plain = mean_interval(scores, documents)
    grades = mean_interval([1 + 4 * score for score in scores], documents, bounds=(1, 5))
    assert (grades.low, grades.high) == pytest.approx((1 + 4 * plain.low, 1 + 4 * plain.high))


def test_without_bounds_it_is_the_plain_t_interval():
    scores = np.random.default_rng(2).normal(20, 3, 40)
    estimate = mean_interval(list(scores), [str(number) for number in range(40)], bounds=(0, float("inf")))
    margin = stats.t.ppf(0.975, 39) * scores.std(ddof=1) / np.sqrt(40)
    assert (estimate.low, estimate.high) == pytest.approx((scores.mean() - margin, scores.mean() + margin))


@pytest.mark.parametrize("limits", [mean_limits, difference_limits])
def test_one_document_says_nothing_about_others(limits):
    assert limits(cluster_sums([1, 0, 1], ["a", "a", "a"]), 0.95, (0, 1)) == (0, 1)


@pytest.mark.parametrize("limits", [mean_limits, difference_limits])
@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_identical_scores_do_not_make_an_interval_of_no_width(limits, score):
    low, high = limits(cluster_sums([score] * 240, [str(number // 2) for number in range(240)]), 0.95, (0, 1))
    share = 1 - 0.025 ** (1 / 120)
    assert low == pytest.approx(score * (1 - share))
    assert high == pytest.approx(score + share * (1 - score))


def test_one_wrong_answer_widens_the_interval_of_none():
    """No step between no spread and a little: the same order of width, further down."""
    documents = [str(number // 2) for number in range(240)]
    none, one = (mean_interval([1.0] * (240 - wrong) + [0.0] * wrong, documents) for wrong in (0, 1))
    assert one.high < none.high == 1
    assert none.low - 0.01 < one.low < none.low + 0.01


def test_the_interval_stays_within_bounds():
    estimate = mean_interval([1, 1, 1, 0], ["a", "b", "c", "d"])
    assert 0 < estimate.low < 0.75 < estimate.high < 1
    first = {"a": 1.0, "b": 1.0, "c": 0.0}
    difference = paired_difference(first, dict.fromkeys(first, 0.0), {name: name for name in first})
    assert (difference.low, difference.high) == (pytest.approx(2 / 3 - 4.302653 / 3), 1)


def test_no_scores_is_an_error():
    with pytest.raises(DataError, match="no scores"):
        mean_interval([], [])


@pytest.mark.parametrize("score", [1.5, -0.1, float("nan")])
def test_a_score_out_of_bounds_is_an_error(score):
    with pytest.raises(DataError, match="is not between 0 and 1"):
        mean_interval([0.5, score], ["a", "b"])


def test_paired_difference_uses_the_pairs():
    rng = np.random.default_rng(3)
    questions = [str(number) for number in range(200)]
    documents = {question: str(int(question) // 5) for question in questions}
    first = {question: float(rng.random() < 0.7) for question in questions}
    second = dict(reversed(first.items()))  # the same answers in another order
    second["7"] = 1 - second["7"]
    estimate = paired_difference(first, second, documents)
    assert estimate.value == pytest.approx((first["7"] - second["7"]) / 200)
    assert estimate.high - estimate.low < 0.025


def test_equal_methods_leave_room_for_a_difference():
    scores = {str(number): 1.0 for number in range(100)}
    estimate = paired_difference(scores, scores, {question: question for question in scores})
    assert estimate.value == 0
    assert 0 < estimate.high == -estimate.low < 0.04


def test_different_questions_cannot_be_paired():
    with pytest.raises(DataError, match="1 questions were answered by one method only, 'q2'"):
        paired_difference({"q1": 1.0, "q2": 0.0}, {"q1": 1.0}, {"q1": "a", "q2": "a"})
