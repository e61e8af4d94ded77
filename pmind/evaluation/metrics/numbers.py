"""GSM8K: the number that a worked solution ends in (Cobbe et al., 2021).

Answers are compared as numbers, so "1,000", "$1000.00" and "1000." are one. Two ways to read a
prediction, named as in lm-evaluation-harness: *strict* wants the number where the prompt's examples
put it, *flexible* takes the last number there is. Unlike there a currency sign, a colon or a bold
mark may stand between the words and the number.
"""

import re
from decimal import Decimal

from pmind.errors import DataError

GOLD_MARK = "####"

# The official pattern is -?[0-9.,]+ with its commas dropped; a final full stop is no part of the number.
_SIGN = r"(?:(?<![\w)\]}])[-\u2212])?"  # after a word or a bracket it is a hyphen or a minus between two numbers
_NUMBER = rf"{_SIGN}(?:\\?[$€£¥]\s?)?{_SIGN}(?:(?<!\d)(?<!\d\.)\d[\d,]*(?:\.\d+)?|(?<![\d.])\.\d+)"
_ANY = re.compile(_NUMBER, re.ASCII)
_MARKED = re.compile(rf"{GOLD_MARK}[\s:*=]*({_NUMBER})", re.ASCII)
_STATED = re.compile(rf"(?:(?i:the (?:final )?answer is)|\\boxed\{{)[\s:*=]*({_NUMBER})", re.ASCII)


def gold_number(answer: str) -> Decimal:
    """The number after ``####`` in the dataset's ANSWER.

    Raises:
        DataError: there is none.

    Example:
        >>> gold_number("She pays 2 * 600 = 1,200. #### 1,200")
        Decimal('1200')
    """
    _, mark, tail = answer.partition(GOLD_MARK)
    number = _ANY.match(tail.strip())
    if not mark or not number:
        raise DataError(f"'…{answer[-40:]}' does not end in '{GOLD_MARK}' and a number; is this GSM8K's answer field?")
    return _value(number.group())


def strict_number(prediction: str) -> Decimal | None:
    r"""The first number after ``####``, else after "The answer is" or in ``\boxed{}``; ``None`` if none is stated.

    The first, because a model that is not stopped goes on with another question.

    Example:
        >>> strict_number("2 + 3 = 5. The answer is $5.00."), strict_number("#### -1,000\nQ: 7")
        (Decimal('5.00'), Decimal('-1000'))
        >>> strict_number("It is 5.") is None
        True
    """
    stated = _MARKED.search(prediction) or _STATED.search(prediction)
    return _value(stated.group(1)) if stated else None


def flexible_number(prediction: str) -> Decimal | None:
    """The last number of PREDICTION; ``None`` if it has none.

    Example:
        >>> flexible_number("So 12-5 makes 7 apples, or 70%."), flexible_number("-$3"), flexible_number("five")
        (Decimal('70'), Decimal('-3'), None)
    """
    numbers = _ANY.findall(prediction)
    return _value(numbers[-1]) if numbers else None


def number_correct(number: Decimal | None, answer: str) -> float:
    """1 if NUMBER equals the one in the dataset's ANSWER, else 0.

    Raises:
        DataError: ANSWER holds no number.

    Example:
        >>> number_correct(flexible_number("$18.00"), "#### 18"), number_correct(None, "#### 18")
        (1.0, 0.0)
    """
    return float(number is not None and number == gold_number(answer))


def _value(text: str) -> Decimal:
    negative = text.count("-") + text.count("\u2212") == 1
    digits = re.sub(r"[^\d.]", "", text, flags=re.ASCII)
    return -Decimal(digits) if negative else Decimal(digits)
