import numpy as np
import pytest
from scipy import stats

from pmind.errors import DataError
from pmind.evaluation.intervals import mean_interval, paired_difference, standard_error

RUNS, DOCUMENTS = 4000, 60


def simulated_answers(rng):
    """Right answers per document whose chance of being right varies between documents."""
    counts = rng.integers(3, 11, size=(RUNS, DOCUMENTS))
    skill = rng.beta(4, 2, size=(RUNS, DOCUMENTS))  # mean 2/3, so answers of a document go together
    return rng.binomial(counts, skill).astype(float), counts


def test_the_interval_covers_the_truth_as_often_as_it_says():
    totals, counts = simulated_answers(np.random.default_rng(1))
    margin = stats.t.ppf(0.975, DOCUMENTS - 1) * standard_error(totals, counts)
    means = totals.sum(-1) / counts.sum(-1)
    assert 0.93 < np.mean(np.abs(means - 2 / 3) <= margin) < 0.97


def test_ignoring_the_clusters_would_not_cover_it():
    totals, counts = simulated_answers(np.random.default_rng(1))
    means, questions = totals.sum(-1) / counts.sum(-1), counts.sum(-1)
    margin = 1.96 * np.sqrt(means * (1 - means) / questions)
    assert np.mean(np.abs(means - 2 / 3) <= margin) < 0.91


def test_mean_interval_is_the_hand_computed_one():
    scores, documents = [1, 1, 0, 1, 0, 0], ["a", "a", "a", "b", "b", "c"]
    residuals = [2 - 3 * 0.5, 1 - 2 * 0.5, 0 - 1 * 0.5]
    error = np.sqrt(3 / 2 * np.sum(np.square(residuals))) / 6
    margin = stats.t.ppf(0.95, 2) * error
    estimate = mean_interval(scores, documents, confidence=0.9)
    assert (estimate.value, estimate.n, estimate.clusters) == (0.5, 6, 3)
    assert (estimate.low, estimate.high) == pytest.approx((0.5 - margin, 0.5 + margin))


def test_questions_alone_in_their_document_give_the_textbook_interval():
    scores = np.random.default_rng(2).random(50)
    estimate = mean_interval(list(scores), [str(number) for number in range(50)])
    margin = stats.t.ppf(0.975, 49) * scores.std(ddof=1) / np.sqrt(50)
    assert estimate.high - estimate.value == pytest.approx(margin)


def test_one_document_says_nothing_about_others():
    estimate = mean_interval([1, 0, 1], ["a", "a", "a"])
    assert (estimate.low, estimate.high) == (0, 1)


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_identical_scores_do_not_make_an_interval_of_no_width(score):
    estimate = mean_interval([score] * 240, [str(number // 2) for number in range(240)])
    share = 1 - 0.025 ** (1 / 120)
    assert estimate.low == pytest.approx(score * (1 - share))
    assert estimate.high == pytest.approx(score + share * (1 - score))


def test_the_interval_stays_within_bounds():
    estimate = mean_interval([1, 1, 1, 0], ["a", "b", "c", "d"])
    assert estimate.high == 1


def test_no_scores_is_an_error():
    with pytest.raises(DataError, match="no scores"):
        mean_interval([], [])


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
