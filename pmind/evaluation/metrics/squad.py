"""Exact match and F1 as SQuAD's two official evaluators compute them.

Both lower the text, drop ASCII punctuation and the words a, an and the, and compare what is left
by words. They differ in two points:

- v1.1 (Rajpurkar et al., 2016) takes all references; v2.0 (Rajpurkar, Jia and Liang, 2018) those of
  which normalising leaves something, and ``""`` if that is none;
- the F1 of nothing against nothing is 0 in v1.1 and 1 in v2.0.

``evaluate-v1.1.py`` gives a question without prediction 0; here every question has a prediction,
which may be ``""``.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

from pmind.errors import DataError
from pmind.evaluation.metrics.references import best

ALWAYS_ANSWER = 1.0  # no probability of "no answer" exceeds it

ARTICLE = re.compile(r"\b(a|an|the)\b")
PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize(text: str) -> str:
    """TEXT in lower case without ASCII punctuation, articles and superfluous blanks.

    Example:
        >>> normalize(" The  Duke of York's "), normalize("A-Team (a)")
        ('duke of yorks', 'ateam')
    """
    return " ".join(ARTICLE.sub(" ", text.lower().translate(PUNCTUATION)).split())


def overlap(prediction: Sequence[str], reference: Sequence[str]) -> tuple[float, float, float]:
    """F1, precision and recall of the words of PREDICTION, each as often as REFERENCE has it.

    Example:
        >>> overlap(["red", "red", "door"], ["red", "door", "key", "ring"])
        (0.5714285714285715, 0.6666666666666666, 0.5)
    """
    same = sum((Counter(prediction) & Counter(reference)).values())
    if same == 0:
        return 0.0, 0.0, 0.0
    precision, recall = same / len(prediction), same / len(reference)
    return 2 * precision * recall / (precision + recall), precision, recall


def token_f1(prediction: Sequence[str], reference: Sequence[str]) -> float:
    """F1 of :func:`overlap`, except that nothing against nothing is 1, as in v2.0.

    Example:
        >>> token_f1([], []), token_f1(["door"], []), token_f1(["red", "door"], ["door"])
        (1.0, 0.0, 0.6666666666666666)
    """
    return overlap(prediction, reference)[0] if prediction and reference else float(prediction == reference)


def squad_v1_exact(prediction: str, references: Sequence[str]) -> float:
    """1 if PREDICTION normalises to what one of REFERENCES does, else 0.

    Raises:
        DataError: there is no reference.

    Example:
        >>> squad_v1_exact("the red door!", ["Red door"]), squad_v1_exact("door", ["Red door"])
        (1.0, 0.0)
    """
    return best(_exact, prediction, references)


def squad_v1_f1(prediction: str, references: Sequence[str]) -> float:
    """F1 of words, the best over REFERENCES; 0 where either side normalises to nothing.

    Raises:
        DataError: there is no reference.

    Example:
        >>> squad_v1_f1("a red door", ["the door", "key"]), squad_v1_f1("", [""])
        (0.6666666666666666, 0.0)
    """
    return best(_f1, prediction, references)


def squad_v2_exact(prediction: str, references: Sequence[str]) -> float:
    """1 if PREDICTION normalises to what one of REFERENCES does, or to nothing where there is none.

    Example:
        >>> squad_v2_exact("", []), squad_v2_exact("door", []), squad_v2_exact("door", ["the door"])
        (1.0, 0.0, 1.0)
    """
    return best(_exact, prediction, _v2_references(references))


def squad_v2_f1(prediction: str, references: Sequence[str]) -> float:
    """F1 of words, the best over REFERENCES; nothing against nothing is 1.

    Example:
        >>> squad_v2_f1("", []), squad_v2_f1("door", []), squad_v2_f1("a red door", ["the door"])
        (1.0, 0.0, 0.6666666666666666)
    """
    return best(_v2_f1, prediction, _v2_references(references))


def squad_v2_summary(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    no_answer: Sequence[float] | None = None,
    threshold: float = ALWAYS_ANSWER,
) -> dict[str, float]:
    """What ``evaluate-v2.0.py`` prints for a whole dataset, under its names, scores in per cent.

    Args:
        predictions: one answer a question, ``""`` for "the passage does not say".
        references: accepted answers of each question, none where it has no answer.
        no_answer: probability that the question has no answer, where the model tells; then
            ``best_exact``, ``best_f1`` and their ``…_thresh`` are added.
        threshold: a prediction whose NO_ANSWER exceeds it counts as ``""``.

    Returns:
        ``exact``, ``f1``, ``total``, and the same with ``HasAns_`` and ``NoAns_`` over the
        questions of that kind, where there are any.

    Raises:
        DataError: no questions, or lists of different lengths.

    Example:
        >>> squad_v2_summary(["door", "key"], [["the red door"], []])["HasAns_exact"]
        0.0
        >>> squad_v2_summary(["door", ""], [["the door"], []])["NoAns_f1"]
        100.0
    """
    _check_lengths(predictions, references, no_answer)
    answerable = [bool(accepted) for accepted in references]
    pairs = list(zip(predictions, references, strict=True))
    raw = {
        "exact": [squad_v2_exact(prediction, accepted) for prediction, accepted in pairs],
        "f1": [squad_v2_f1(prediction, accepted) for prediction, accepted in pairs],
    }
    probabilities = [0.0] * len(predictions) if no_answer is None else no_answer
    summary = _by_kind({name: _withheld(raw[name], probabilities, answerable, threshold) for name in raw}, answerable)
    if no_answer is not None:
        for name, scores in raw.items():
            value, best_threshold = squad_v2_threshold(scores, predictions, answerable, no_answer)
            summary |= {f"best_{name}": value, f"best_{name}_thresh": best_threshold}
    return summary


def squad_v2_threshold(
    scores: Sequence[float], predictions: Sequence[str], answerable: Sequence[bool], no_answer: Sequence[float]
) -> tuple[float, float]:
    """Best mean score that withholding answers can reach, in per cent, and the threshold for it.

    Questions are answered in the order of rising NO_ANSWER, starting from none. As in
    ``find_best_thresh`` equal probabilities are taken one by one, in the order given, so a
    threshold may lie between questions that no threshold can part.

    Example:
        >>> squad_v2_threshold([1.0, 0.0], ["door", "key"], [True, False], [0.2, 0.9])
        (100.0, 0.2)
    """
    score = best_score = answerable.count(False)
    threshold = 0.0
    for index in sorted(range(len(scores)), key=no_answer.__getitem__):
        score += scores[index] if answerable[index] else -bool(predictions[index])
        if score > best_score:
            best_score, threshold = score, no_answer[index]
    return 100.0 * best_score / len(scores), threshold


def _exact(prediction: str, reference: str) -> float:
    return float(normalize(prediction) == normalize(reference))


def _f1(prediction: str, reference: str) -> float:
    return overlap(normalize(prediction).split(), normalize(reference).split())[0]


def _v2_f1(prediction: str, reference: str) -> float:
    return token_f1(normalize(prediction).split(), normalize(reference).split())


def _v2_references(references: Sequence[str]) -> list[str]:
    return [reference for reference in references if normalize(reference)] or [""]


def _check_lengths(
    predictions: Sequence[str], references: Sequence[Sequence[str]], no_answer: Sequence[float] | None
) -> None:
    lengths = [len(values) for values in (predictions, references, no_answer) if values is not None]
    if len(set(lengths)) > 1 or not lengths[0]:
        raise DataError(
            f"{len(predictions)} predictions for {len(references)} questions"
            + ("" if no_answer is None else f" with {len(no_answer)} probabilities of no answer")
            + "; each question needs one. Decode again: dvc repro decode"
        )


def _withheld(
    scores: Sequence[float], no_answer: Sequence[float], answerable: Sequence[bool], threshold: float
) -> list[float]:
    return [
        float(not has_answer) if probability > threshold else score
        for score, probability, has_answer in zip(scores, no_answer, answerable, strict=True)
    ]


def _by_kind(scores: dict[str, list[float]], answerable: Sequence[bool]) -> dict[str, float]:
    kinds = {"": [True] * len(answerable), "HasAns_": answerable, "NoAns_": [not flag for flag in answerable]}
    summary: dict[str, float] = {}
    for prefix, chosen in kinds.items():
        total = sum(chosen)
        for name, values in scores.items() if total else ():
            kept = [value for value, keep in zip(values, chosen, strict=True) if keep]
            summary[f"{prefix}{name}"] = 100.0 * sum(kept) / total
        if total:
            summary[f"{prefix}total"] = total
    return summary
