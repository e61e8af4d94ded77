"""MultiRC: which of a question's options are right, any number of them (Khashabi et al., 2018).

- EM: share of questions whose options are all judged rightly;
- F1a: F1 of "right" over all options of all questions together;
- F1m: by question. The dataset's own evaluator takes the harmonic mean of the mean precision and the
  mean recall (:func:`f1m`); the copy of SuperGLUE's that most evaluation libraries carry, the mean
  of the F1 that is averaged over the classes right and wrong (:func:`f1m_macro`).

EM and F1a are the same in both; F1m is not, so a report says which it is. An answer
is the set of indices of the options held to be right.
"""

from collections.abc import Collection, Iterator, Sequence

from pmind.errors import DataError

Options = Collection[int]


def question_exact(predicted: Options, right: Options) -> float:
    """1 if exactly the RIGHT options are PREDICTED, else 0."""
    return float(set(predicted) == set(right))


def exact(predicted: Sequence[Options], right: Sequence[Options]) -> float:
    """Mean of :func:`question_exact`.

    Raises:
        DataError: no questions, or lists of different lengths.

    Example:
        >>> exact([{0, 1}, set()], [{0, 1}, {2}])
        0.5
    """
    scores = [question_exact(answer, gold) for answer, gold in _pairs(predicted, right)]
    return sum(scores) / len(scores)


def f1a(predicted: Sequence[Options], right: Sequence[Options]) -> float:
    """F1 over all options; 0 where no right option is predicted.

    Raises:
        DataError: no questions, or lists of different lengths.

    Example:
        >>> f1a([{0, 1}, {2}], [{0}, {2, 3}])  # 2 of 3 predicted are right, 2 of 3 right predicted
        0.6666666666666666
    """
    pairs = list(_pairs(predicted, right))
    shared = sum(len(answer & gold) for answer, gold in pairs)
    named = sum(len(answer) + len(gold) for answer, gold in pairs)
    return 2 * shared / named if shared else 0.0


def f1m(predicted: Sequence[Options], right: Sequence[Options]) -> float:
    """Harmonic mean of the questions' mean precision and mean recall.

    As in the evaluator a question for which nothing is predicted has precision 1, and one without
    right options recall 1.

    Raises:
        DataError: no questions, or lists of different lengths.

    Example:
        >>> f1m([{0, 1}, {2}], [{0}, {2, 3}])  # precision (1/2 + 1) / 2, recall (1 + 1/2) / 2
        0.75
    """
    pairs = list(_pairs(predicted, right))
    precision = sum(len(answer & gold) / len(answer) if answer else 1.0 for answer, gold in pairs) / len(pairs)
    recall = sum(len(answer & gold) / len(gold) if gold else 1.0 for answer, gold in pairs) / len(pairs)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def f1m_macro(predicted: Sequence[Options], right: Sequence[Options], counts: Sequence[int]) -> float:
    """Mean over questions of F1 averaged over the classes "right" and "wrong".

    A class that neither side names is left out, as by scikit-learn's ``average="macro"``.

    Args:
        predicted: options held to be right, of each question.
        right: those that are.
        counts: number of options of each question.

    Raises:
        DataError: no questions, or lists of different lengths.

    Example:
        >>> f1m_macro([{0, 1}], [{0}], [3])  # right: 2·1/(2+1), wrong: 2·1/(1+2)
        0.6666666666666666
    """
    pairs = list(_pairs(predicted, right))
    if len(counts) != len(pairs):
        raise DataError(f"{len(counts)} numbers of options for {len(pairs)} questions; each question needs one")
    scores = [_macro(answer, gold, count) for (answer, gold), count in zip(pairs, counts, strict=True)]
    return sum(scores) / len(scores)


def _pairs(predicted: Sequence[Options], right: Sequence[Options]) -> Iterator[tuple[set[int], set[int]]]:
    if len(predicted) != len(right) or not right:
        raise DataError(f"{len(predicted)} answers to {len(right)} questions; each question needs one")
    return ((set(answer), set(gold)) for answer, gold in zip(predicted, right, strict=True))


def _macro(answer: set[int], gold: set[int], count: int) -> float:
    everything = set(range(count))
    classes = [(answer, gold), (everything - answer, everything - gold)]
    scores = [2 * len(one & other) / (len(one) + len(other)) for one, other in classes if one or other]
    return sum(scores) / len(scores)
