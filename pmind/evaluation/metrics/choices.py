"""Which options does an answer to a multiple-choice question name?

A letter is easily mistaken: for the article in "A dog", for a vitamin, for one that the answer
rejects. So a letter counts only where the text says that it is a choice, and a text that leaves
the choice open names none.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from string import ascii_uppercase

from pmind.evaluation.metrics import choice_patterns as patterns
from pmind.evaluation.metrics.lenient import contains
from pmind.evaluation.text_match import IDEOGRAPHS

_TOKEN = re.compile(rf"[{IDEOGRAPHS}]|[-\u2212]?\d+(?:[.,]\d+)*%?|[^\W\d_{IDEOGRAPHS}]+")
_ARTICLES = frozenset({"a", "an", "the"})
_INDEX_OF_I = ascii_uppercase.index("I")
_WITHOUT_I = str.maketrans("", "", "Ii")


def extract_letters(text: str, count: int, multiple: bool = False) -> tuple[int, ...] | None:
    r"""Indices of the options that TEXT names, rising; ``None`` if it names none or leaves it open.

    First the text is made plain: full-width forms become ASCII, thinking blocks, markup (``**B**``,
    ``\text{B}``, tags) and everything from a next "Question:" on go away, and so do letters that
    are rejected ("not A", "A is wrong", "排除A", "A错误"). Then the first rule that applies decides:

    1. the last ``\boxed{C}``;
    2. the last statement: "the answer is C", "Answer: (C)", "I choose C", "答案：C", "故选C";
    3. a first line that is nothing but letters: "B", "(b)", "A、C", "ACD", "Option D";
    4. lines that begin with a letter and a mark: "B. because …", "b) Paris", "B、巴黎";
    5. a verdict: "C is correct", "选项B正确";
    6. any other mention as an option: "(C)", "option C", "C选项", "I think C", "so, C.".

    Letters side by side are several ("ACD", "A and C", "A、C"); "A or C" leaves it open. Where
    one answer is asked for, several letters leave it open too. So does a letter beyond the
    options. "A" and "I" before another word are words. Small letters count in rules 1 to 4 only.

    Args:
        text: the answer.
        count: number of options.
        multiple: whether several options may be right.

    Example:
        >>> extract_letters("The answer is not A but C.", 4), extract_letters("答案：ＡＣ", 4, multiple=True)
        ((2,), (0, 2))
        >>> extract_letters("A dog is an animal", 4), extract_letters("A or C", 4), extract_letters("E", 4)
        (None, None, None)
    """
    plain = _plain(text)
    for rule in (_boxed, _stated, _first_line, _line_starts, _verdicts, _mentions):
        letters = rule(plain, count)
        if letters is not None:
            return _decide(letters, count, multiple)
    return None


def match_option_text(text: str, options: Sequence[str]) -> int | None:
    """Index of the option whose text TEXT repeats; ``None`` if none or several.

    Options written exactly as the text come first, then those that occur in it by whole words,
    numbers and Chinese characters, whatever their case, articles and punctuation; of options within
    each other ("hypertension", "pulmonary hypertension") the longest.

    Example:
        >>> match_option_text("It is pulmonary hypertension.", ["Hypertension", "Pulmonary hypertension"])
        1
        >>> match_option_text("Paris or Rome", ["Paris", "Rome"]) is None, match_option_text("1.8", ["18", "8"]) is None
        (True, True)
    """
    same = [index for index, option in enumerate(options) if option.strip() == text.strip() != ""]
    answer, tokens = _tokens(text), [_tokens(option) for option in options]
    held = [index for index, option in enumerate(tokens) if contains(answer, option)]
    longest = [index for index in held if not any(_within(tokens[index], tokens[other]) for other in held)]
    found = same or longest
    return found[0] if len(found) == 1 else None


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    text = patterns.THINKING.sub("\n", text)
    text = patterns.TAG.sub("\n", text)
    text = patterns.MARKUP.sub("", patterns.WRAPPER.sub(r"\1", text))
    text = patterns.EMPTY_LINES.sub("\n", patterns.BLANKS.sub(" ", text)).strip()
    text = patterns.NEXT_QUESTION.split(text, maxsplit=1)[0]
    for rejection in patterns.REJECTIONS:
        text = rejection.sub(" ", text)
    return text.strip()


def _boxed(text: str, count: int) -> str | None:
    return _last(patterns.BOXED.finditer(text), count)


def _stated(text: str, count: int) -> str | None:
    return _last(patterns.STATEMENT.finditer(text), count)


def _first_line(text: str, count: int) -> str | None:
    return _last(patterns.ONLY_LETTERS.finditer(text.partition("\n")[0]), count)


def _line_starts(text: str, count: int) -> str | None:
    if not patterns.LINE_START.match(text):
        return None
    letters = patterns.LINE_START.findall(text)
    return _listed("".join(f"{letter} " for letter in letters if letter.isupper() == letters[0].isupper()), count)


def _verdicts(text: str, count: int) -> str | None:
    return _together(patterns.VERDICT.finditer(text), count)


def _mentions(text: str, count: int) -> str | None:
    return _together(patterns.MENTION.finditer(text), count)


def _last(matches: Iterable[re.Match[str]], count: int) -> str | None:
    named = [letters for match in matches if (letters := _letters(match, count)) is not None]
    return named[-1] if named else None


def _together(matches: Iterable[re.Match[str]], count: int) -> str | None:
    listed = [_listed(next(filter(None, match.groups())), count) for match in matches]
    named = [letters for letters in listed if letters is not None]
    if not named:
        return None
    return "" if "" in named else "".join(named)


def _letters(match: re.Match[str], count: int) -> str | None:
    """What MATCH names, as :func:`_listed`; ``None`` too if its run of capitals is a word."""
    run = match["run"]
    if run is None:
        return _listed(match["list"], count)
    return run if len(set(run)) == len(run) and max(run) <= ascii_uppercase[count - 1] else None


def _listed(text: str, count: int) -> str | None:
    """Letters of a list; ``""`` if it leaves them open, ``None`` if all it holds is the word or numeral I."""
    letters = "".join(patterns.LONE_LETTER.findall(text))
    if count <= _INDEX_OF_I:
        letters = letters.translate(_WITHOUT_I)
    return "" if patterns.OR.search(text) else letters or None


def _decide(letters: str, count: int, multiple: bool) -> tuple[int, ...] | None:
    indices = sorted({ascii_uppercase.index(letter.upper()) for letter in letters})
    if not indices or indices[-1] >= count or (len(indices) > 1 and not multiple):
        return None
    return tuple(indices)


def _tokens(text: str) -> list[str]:
    tokens = _TOKEN.findall(unicodedata.normalize("NFKC", text).lower())
    return [token for token in tokens if token not in _ARTICLES]


def _within(part: Sequence[str], whole: Sequence[str]) -> bool:
    return len(part) < len(whole) and contains(whole, part)
