"""Answers to CMRC 2018 as its official evaluator scores them (``cmrc2018_evaluate.py`` v6, Cui et al., 2019).

F1 counts the longest run of segments that both texts share, not their bag: characters in another
order earn nothing. A segment is a Chinese character, or a token of the text between such
characters by NLTK's word tokeniser. The evaluator lets NLTK split that text into sentences first,
which needs a model to be downloaded and could matter only where a foreign quotation holds a full
stop before a blank: in 3 of the 3,219 development questions, all initials of names. Here such
text is one sentence.
"""

import re
from collections.abc import Sequence

from pmind.evaluation.metrics.packages import load
from pmind.evaluation.metrics.references import best

# The evaluator's list also names "……", which equals no single character: an ellipsis stays.
MARKS = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")

_HAN = re.compile("([\u4e00-\u9fa5])")


def cmrc_exact(prediction: str, references: Sequence[str]) -> float:
    """1 if PREDICTION is one of REFERENCES but for case and :data:`MARKS`, else 0.

    Raises:
        DataError: there is no reference.

    Example:
        >>> cmrc_exact("《红楼梦》。", ["红楼梦"]), cmrc_exact("红楼梦.", ["红楼梦"])
        (1.0, 0.0)
    """
    return best(lambda answer, reference: float(_unmarked(answer) == _unmarked(reference)), prediction, references)


def cmrc_f1(prediction: str, references: Sequence[str]) -> float:
    """F1 of the longest common run of segments, the best over REFERENCES.

    Raises:
        DataError: there is no reference, or NLTK is not installed.
    """
    return best(_f1, prediction, references)


def segments(text: str) -> list[str]:
    """Chinese characters and the words between them, in lower case without :data:`MARKS`.

    Raises:
        DataError: NLTK is not installed.
    """
    words = load("nltk.tokenize.destructive", "CMRC's F1").NLTKWordTokenizer().tokenize
    pieces = _HAN.split(_unmarked(text))
    return [segment for piece in pieces for segment in ([piece] if _HAN.fullmatch(piece) else words(piece))]


def longest_common_run(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest run of items that FIRST and SECOND share.

    Example:
        >>> longest_common_run("abcd", "xbcyd"), longest_common_run("ab", "")
        (2, 0)
    """
    longest = 0
    previous = [0] * (len(second) + 1)
    for item in first:
        current = [0]
        for index, other in enumerate(second):
            current.append(previous[index] + 1 if item == other else 0)
        longest = max(longest, *current)
        previous = current
    return longest


def _unmarked(text: str) -> str:
    return "".join(character for character in text.lower().strip() if character not in MARKS)


def _f1(prediction: str, reference: str) -> float:
    answer, expected = segments(prediction), segments(reference)
    common = longest_common_run(expected, answer)
    if common == 0:
        return 0.0
    precision, recall = common / len(answer), common / len(expected)
    return 2 * precision * recall / (precision + recall)
