"""An answer's score against several accepted ones: the best of them counts."""

from collections.abc import Callable, Sequence

from pmind.errors import DataError

Score = Callable[[str, str], float]


def best(score: Score, prediction: str, references: Sequence[str]) -> float:
    """Highest SCORE(PREDICTION, reference) over REFERENCES.

    Raises:
        DataError: there is no reference.

    Example:
        >>> best(lambda prediction, reference: float(prediction == reference), "b", ["a", "b"])
        1.0
    """
    if not references:
        raise DataError(
            f"the answer '{prediction[:40]}' has no reference to be compared with; "
            "give at least one, '' where a question has no answer"
        )
    return max(score(prediction, reference) for reference in references)
