import math
import re

import pytest

from pmind.errors import DataError
from pmind.evaluation.metrics.perplexity import bits_per_byte, byte_perplexity, perplexity, word_perplexity

TEXTS = ["A red door.", "口服阿司匹林", "  two\n\nwords ", "x"]
NLL = [12.5, 31.0, 4.25, 0.5]


def harness(log_likelihoods, weights):
    """lm-evaluation-harness: ``weighted_mean`` of (log-likelihood, weight) pairs."""
    return sum(log_likelihoods) / sum(weights)


def test_corpus_measures_are_the_harness_s():
    log_likelihoods = [-value for value in NLL]
    words = [len(re.split(r"\s+", text)) for text in TEXTS]
    data = [len(text.encode("utf-8")) for text in TEXTS]
    assert words == [3, 1, 4, 1] and data == [11, 18, 13, 1]
    assert word_perplexity(NLL, TEXTS) == pytest.approx(math.exp(-harness(log_likelihoods, words)))
    assert byte_perplexity(NLL, TEXTS) == pytest.approx(math.exp(-harness(log_likelihoods, data)))
    assert bits_per_byte(NLL, TEXTS) == pytest.approx(-harness(log_likelihoods, data) / math.log(2))
    assert byte_perplexity(NLL, TEXTS) == pytest.approx(2 ** bits_per_byte(NLL, TEXTS))


def test_a_text_weighs_as_much_as_it_has_tokens():
    one_by_one = [perplexity([value], [count]) for value, count in ((8.0, 2), (3.0, 30))]
    together = perplexity([8.0, 3.0], [2, 30])
    assert together == pytest.approx(math.exp(11 / 32))
    assert together < sum(one_by_one) / 2
    assert perplexity([2.0, 2.0, 0.0], [1, 1, 0]) == pytest.approx(math.exp(2))


def test_a_uniform_model_has_the_perplexity_of_its_vocabulary():
    assert perplexity([5 * math.log(6400)], [5]) == pytest.approx(6400)


@pytest.mark.parametrize(
    ("nll", "units", "reason"),
    [
        ([], [], "0 log-likelihoods"),
        ([1.0], [1, 1], "1 log-likelihoods for 2"),
        ([1.0, -2.0], [1, 1], "text 1: .* sign"),
        ([math.nan], [1], "text 0"),
        ([math.inf], [1], "text 0"),
        ([1.0], [-1], "text 0"),
        ([1.0, 1.0], [0, 0], "no units"),
        ([1e6], [1], "no model's"),
    ],
)
def test_bad_inputs_are_refused(nll, units, reason):
    with pytest.raises(DataError, match=reason):
        perplexity(nll, units)
