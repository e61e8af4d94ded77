"""BLEU-4 and ROUGE of long answers, by the libraries that define their reported values.

All scores lie between 0 and 1; multiply by 100 for the usual scale. Values depend on how text is
cut, so a report names it: :func:`bleu_tokenisation`, :func:`rouge_segmentation`.

========  ==========================================  ==============================================
language  BLEU (sacrebleu, Post 2018)                 ROUGE (rouge-score, Lin 2004)
``zh``    ``zh``: each Chinese character a token      characters, or words by jieba; Latin words whole
others    ``13a``                                     the library's own: lower-case words, no stemming
========  ==========================================  ==============================================
"""

import logging
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import zip_longest
from typing import Any, Literal

from pmind.errors import DataError
from pmind.evaluation.metrics.packages import load
from pmind.evaluation.text_match import IDEOGRAPHS

Segmentation = Literal["characters", "jieba"]
CHINESE = "zh"
ROUGE_TYPES = ("rouge1", "rouge2", "rougeL")

_CHARACTER = re.compile(rf"[{IDEOGRAPHS}]|[^\W_{IDEOGRAPHS}]+")


def bleu4(prediction: str, references: Sequence[str], language: str) -> float:
    """BLEU-4 of one answer against all REFERENCES at once.

    With effective order: an answer of three words has no 4-grams and is judged by its 3-grams.
    The mean over answers is not :func:`corpus_bleu4`.

    Raises:
        DataError: no reference that says anything, or sacrebleu is not installed.
    """
    score = _bleu(bleu_tokenisation(language), True).sentence_score(prediction, _non_empty([references])[0])
    return min(score.score / 100, 1.0)


def corpus_bleu4(predictions: Sequence[str], references: Sequence[Sequence[str]], language: str) -> float:
    """BLEU-4 of all answers: n-grams are counted over the corpus before precision is taken.

    Args:
        predictions: one answer a question.
        references: one or more references of each question; they may differ in number.
        language: ``zh`` for Chinese.

    Raises:
        DataError: no answers, lists of different lengths, a question without a reference that says
            anything, or sacrebleu is not installed.
    """
    if len(predictions) != len(references) or not predictions:
        raise DataError(f"BLEU of {len(predictions)} answers to {len(references)} questions; each question needs one")
    streams = list(zip_longest(*_non_empty(references)))  # the first references, the second ones or None, ...
    score = _bleu(bleu_tokenisation(language), False).corpus_score(list(predictions), streams)
    return min(score.score / 100, 1.0)


def bleu_tokenisation(language: str) -> str:
    """Name of sacrebleu's tokeniser for LANGUAGE.

    Example:
        >>> bleu_tokenisation("zh"), bleu_tokenisation("en")
        ('zh', '13a')
    """
    return "zh" if language == CHINESE else "13a"


def rouge(
    prediction: str, references: Sequence[str], language: str, segmentation: Segmentation = "characters"
) -> dict[str, float]:
    """F1 of ROUGE-1, ROUGE-2 and ROUGE-L, each the best over REFERENCES.

    Args:
        prediction: the answer.
        references: accepted answers.
        language: ``zh`` for Chinese.
        segmentation: what a Chinese text is cut into; says nothing about other languages.

    Returns:
        ``rouge1``, ``rouge2`` and ``rougeL``.

    Raises:
        DataError: no reference, an unknown segmentation, or rouge-score or jieba is not installed.
    """
    if not references:
        raise DataError(f"ROUGE of '{prediction[:40]}' has no reference to be compared with; give at least one")
    scores = _rouge_scorer(rouge_segmentation(language, segmentation)).score_multi(list(references), prediction)
    return {name: float(scores[name].fmeasure) for name in ROUGE_TYPES}


def rouge_segmentation(language: str, segmentation: Segmentation = "characters") -> str:
    """Name of what :func:`rouge` cuts a text of LANGUAGE into.

    Raises:
        DataError: an unknown segmentation.

    Example:
        >>> rouge_segmentation("zh"), rouge_segmentation("zh", "jieba"), rouge_segmentation("en")
        ('characters', 'jieba', 'words')
    """
    if segmentation not in ("characters", "jieba"):
        raise DataError(f"ROUGE knows no segmentation '{segmentation}'; choose characters or jieba")
    return segmentation if language == CHINESE else "words"


class Characters:
    """Tokeniser for rouge-score: Chinese characters and whole Latin words, in lower case."""

    def tokenize(self, text: str) -> list[str]:
        """Cut TEXT, full-width forms folded and punctuation dropped.

        Example:
            >>> Characters().tokenize("口服ＡＢＣ片，100 mg。")
            ['口', '服', 'abc', '片', '100', 'mg']
        """
        return _CHARACTER.findall(_folded(text))


class JiebaWords:
    """Tokeniser for rouge-score: words by jieba, in lower case without punctuation."""

    def tokenize(self, text: str) -> list[str]:
        """Cut TEXT, full-width forms folded and punctuation dropped.

        Raises:
            DataError: jieba is not installed.
        """
        return [word for word in _jieba().lcut(_folded(text)) if _CHARACTER.search(word)]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _non_empty(references: Sequence[Sequence[str]]) -> list[list[str]]:
    kept = [[text for text in texts if text.strip()] for texts in references]
    if not all(kept):
        raise DataError(
            f"question {kept.index([])} has no reference that says anything; BLEU is undefined there. Leave it out"
        )
    return kept


@cache
def _bleu(tokenisation: str, sentence: bool) -> Any:
    return load("sacrebleu.metrics", "BLEU").BLEU(tokenize=tokenisation, effective_order=sentence)


@cache
def _jieba() -> Any:
    jieba = load("jieba", "ROUGE by words of Chinese")
    jieba.setLogLevel(logging.WARNING)  # it tells stderr how long its dictionary takes to load
    return jieba


@cache
def _rouge_scorer(segmentation: str) -> Any:
    tokeniser = {"characters": Characters(), "jieba": JiebaWords(), "words": None}[segmentation]
    return load("rouge_score.rouge_scorer", "ROUGE").RougeScorer(list(ROUGE_TYPES), tokenizer=tokeniser)
