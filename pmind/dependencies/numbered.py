"""Questions that name others by their place: "question 2", "the first question", 第三题, 上一题."""

import re
from collections.abc import Iterator, Sequence

from pmind.dependencies.edges import Edge

NUMBERED = 0.95  # confidence

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
HAN_DIGITS = "一二三四五六七八九十"

_NUMBER = rf"(?:\d{{1,3}}|[{HAN_DIGITS}]{{1,3}})"
_RANGE = r"\s*(?:to|-|–|至|到)\s*"
_AND = r"\s*(?:,\s*and|,|、|and|or|&|和|与|及|或)\s*"
_NUMBERS = rf"(?P<numbers>{_NUMBER}(?:(?:{_AND}|{_RANGE}){_NUMBER})*)"
_NO_FIGURE = r"(?!\d|[.,]\d|%|\s*(?:19|20)\d\d)"  # no "Q3 2019"
_LISTS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:questions?|answers?|q)\s*(?:no\.?|number|#)?\s*{_NUMBERS}{_NO_FIGURE}",
        rf"(?:问题|题目|小题)\s*{_NUMBERS}(?![直样些定般个种次])",
        rf"第\s*{_NUMBERS}\s*(?:个问题|个小题|道题|小题|题|问)",
    )
]
_ORDINAL = re.compile(rf"\bthe ({'|'.join(ORDINALS)}|\d{{1,2}}(?:st|nd|rd|th)) (?:question|answer)\b", re.IGNORECASE)
_BEFORE = re.compile(
    r"\b(?:previous|preceding) (?:question|answer)\b|[上前]一(?:道题|题|个问题|问)|上题", re.IGNORECASE
)


def numbered_edges(questions: Sequence[str]) -> Iterator[Edge]:
    """Edges to questions from those that they name; a later one may be named, too.

    Example:
        >>> [edge.ends for edge in numbered_edges(["Who?", "And where?", "When was the person of question 1 born?"])]
        [(0, 2)]
    """
    for target, text in enumerate(questions):
        for source, words in _named(text, target):
            if 0 <= source < len(questions) and source != target:
                yield Edge(source, target, NUMBERED, f'names "{words}"')


def _named(text: str, own: int) -> Iterator[tuple[int, str]]:
    """Indices that a question names, which need not be there, and the words that do."""
    for pattern in _LISTS:
        for match in pattern.finditer(text):
            yield from ((number - 1, match[0].strip()) for number in _numbers(match["numbers"]))
    for match in _ORDINAL.finditer(text):
        ordinal = match[1].lower()
        yield (ORDINALS.index(ordinal) if ordinal in ORDINALS else int(ordinal[:-2]) - 1), match[0]
    for match in _BEFORE.finditer(text):
        yield own - 1, match[0]


def _numbers(listed: str) -> list[int]:
    """The numbers of a list or a range.

    Example:
        >>> _numbers("1, 2 and 5"), _numbers("2-4"), _numbers("一、十二"), _numbers("二十")
        ([1, 2, 5], [2, 3, 4], [1, 12], [20])
    """
    numbers = [_value(number) for number in re.findall(_NUMBER, listed)]
    if len(numbers) == 2 and re.search(_RANGE, listed):
        return list(range(numbers[0], numbers[1] + 1))
    return numbers


def _value(number: str) -> int:
    if number.isdecimal():
        return int(number)
    digit = {han: value for value, han in enumerate(HAN_DIGITS, start=1)}
    tens, ten, units = number.rpartition("十")
    return (digit.get(tens, 1) * 10 if ten else 0) + digit.get(units, 0)
