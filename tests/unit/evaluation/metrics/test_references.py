import pytest

from pmind.errors import DataError
from pmind.evaluation.metrics.references import best


def test_the_best_counts():
    assert best(lambda prediction, reference: len({*prediction} & {*reference}), "abc", ["a", "bc", ""]) == 2


def test_none_is_an_error():
    with pytest.raises(DataError, match="'abc' has no reference"):
        best(lambda prediction, reference: 1.0, "abc", [])
