"""QuAC's F1, as its official scorer computes it (Choi et al., 2018; ``scorer.py``).

Several annotators answered each question. A prediction is compared with all of them but one, each
left out in turn, as a person is who is compared with the others. Questions on which people agree
by less than 0.4 are not scored.
"""

from collections.abc import Sequence

from pmind.evaluation.metrics.squad import normalize, overlap

NO_ANSWER = "CANNOTANSWER"
LEAST_AGREEMENT = 0.4


def quac_f1(prediction: str, references: Sequence[str]) -> float:
    """Mean over annotators left out of the best F1 with the others.

    Example:
        >>> quac_f1("in 1990", ["in 1990"]), quac_f1("in 1990", ["in 1990", "in May"])
        (1.0, 0.75)
    """
    return _mean_best(prediction, _others(references))


def human_f1(references: Sequence[str]) -> float:
    """How well annotators agree: each against the others; 1 where there is only one.

    Example:
        >>> human_f1(["in 1990", "in May"])
        0.5
    """
    if len(references) < 2:
        return 1.0
    found = [_best(references[left], others) for left, others in enumerate(_others(references))]
    return sum(found) / len(found)


def is_scored(references: Sequence[str]) -> bool:
    """Whether annotators agree enough for the question to count."""
    return human_f1(references) >= LEAST_AGREEMENT


def _others(references: Sequence[str]) -> list[list[str]]:
    if len(references) == 1:
        return [list(references)]
    return [[*references[:left], *references[left + 1 :]] for left in range(len(references))]


def _mean_best(prediction: str, subsets: Sequence[Sequence[str]]) -> float:
    return sum(_best(prediction, subset) for subset in subsets) / len(subsets)


def _best(prediction: str, references: Sequence[str]) -> float:
    return max(_f1(prediction, reference) for reference in references)


def _f1(prediction: str, reference: str) -> float:
    if NO_ANSWER in (prediction, reference):
        return float(prediction == reference)
    return overlap(normalize(prediction).split(), normalize(reference).split())[0]
