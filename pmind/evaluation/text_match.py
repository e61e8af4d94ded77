"""Exact match and F1 of one answer, in any language.

Text without CJK characters is scored exactly as by SQuAD v1.1's evaluator (Rajpurkar et al.,
2016), except that an answer equal to a reference that normalises to nothing has F1 1, as in v2.0.
In text with them each such character is a token of its own, blanks between tokens do not count,
and full-width forms and Chinese punctuation are treated as their ASCII counterparts are.
"""

import re
import unicodedata
from collections.abc import Sequence

from pmind.evaluation.metrics.squad import ARTICLE, PUNCTUATION, token_f1

IDEOGRAPHS = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
CJK_MARKS = "\u3000-\u303f\uff00-\uffef"  # CJK punctuation, full-width forms

CJK = re.compile(f"[{IDEOGRAPHS}{CJK_MARKS}]")
_TOKEN = re.compile(rf"[{IDEOGRAPHS}]|[^\s{IDEOGRAPHS}]+")


def exact_match(prediction: str, references: Sequence[str]) -> float:
    """1 if PREDICTION equals one of REFERENCES after normalisation, else 0; without references, if it says nothing.

    Example:
        >>> exact_match("The red door.", ["red door"]), exact_match("", ["red door"])
        (1.0, 0.0)
    """
    answer = answer_tokens(prediction)
    return float(any(answer == answer_tokens(reference) for reference in references or ("",)))


def f1(prediction: str, references: Sequence[str]) -> float:
    """Harmonic mean of token precision and recall, the best over REFERENCES.

    Example:
        >>> f1("a red door", ["the door"]), f1("高血压病", ["高血压"])
        (0.6666666666666666, 0.8571428571428571)
    """
    answer = answer_tokens(prediction)
    return max(token_f1(answer, answer_tokens(reference)) for reference in references or ("",))


def answer_tokens(text: str) -> list[str]:
    """Normalise TEXT (lower case, no punctuation, no articles) and cut it into tokens.

    Example:
        >>> answer_tokens("The Duke of York's"), answer_tokens("阿司匹林 100 mg。")
        (['duke', 'of', 'yorks'], ['阿', '司', '匹', '林', '100', 'mg'])
    """
    text = text.lower()
    if CJK.search(text):
        text = _without_punctuation(unicodedata.normalize("NFKC", text))
    text = ARTICLE.sub(" ", text.translate(PUNCTUATION))
    return _TOKEN.findall(text)


def _without_punctuation(text: str) -> str:
    return "".join(character for character in text if not unicodedata.category(character).startswith("P"))
