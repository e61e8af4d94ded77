"""Answers to HotpotQA as its official evaluator scores them (``hotpot_evaluate_v1.py``, Yang et al., 2018).

SQuAD v1.1's exact match and F1 with one exception: where either side is "yes", "no" or "noanswer",
F1, precision and recall are 0 unless both are the same, so that "no" earns nothing against
"no country". Supporting facts are not scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pmind.evaluation.metrics.references import best
from pmind.evaluation.metrics.squad import normalize, overlap, squad_v1_exact

CLOSED_ANSWERS = frozenset({"yes", "no", "noanswer"})


@dataclass(frozen=True)
class HotpotScores:
    """The evaluator's ``em``, ``f1``, ``prec`` and ``recall`` of one answer."""

    exact: float
    f1: float
    precision: float
    recall: float


def hotpot_scores(prediction: str, reference: str) -> HotpotScores:
    """All four scores of PREDICTION; HotpotQA has one reference a question.

    Example:
        >>> hotpot_scores("yes, it is", "yes")
        HotpotScores(exact=0.0, f1=0.0, precision=0.0, recall=0.0)
        >>> hotpot_scores("Delhi", "New Delhi")
        HotpotScores(exact=0.0, f1=0.6666666666666666, precision=1.0, recall=0.5)
    """
    answer, expected = normalize(prediction), normalize(reference)
    if answer != expected and CLOSED_ANSWERS & {answer, expected}:
        return HotpotScores(0.0, 0.0, 0.0, 0.0)
    return HotpotScores(float(answer == expected), *overlap(answer.split(), expected.split()))


def hotpot_exact(prediction: str, references: Sequence[str]) -> float:
    """1 if PREDICTION normalises to what one of REFERENCES does, else 0.

    Raises:
        DataError: there is no reference.
    """
    return squad_v1_exact(prediction, references)


def hotpot_f1(prediction: str, references: Sequence[str]) -> float:
    """F1 of words, the best over REFERENCES, with the exception for yes, no and noanswer.

    Raises:
        DataError: there is no reference.

    Example:
        >>> hotpot_f1("no", ["no"]), hotpot_f1("no country", ["no"])
        (1.0, 0.0)
    """
    return best(lambda answer, reference: hotpot_scores(answer, reference).f1, prediction, references)
