import json
import re
from decimal import Decimal

import pytest

from pmind.errors import DataError
from pmind.evaluation.metrics.numbers import flexible_number, gold_number, number_correct, strict_number


def official_answer(text):
    """``extract_answer`` of grade-school-math's dataset.py."""
    return re.search(r"#### (-?[0-9.,]+)", text).group(1).strip().replace(",", "")


def test_every_gold_number_is_the_official_one(read_real):
    answers = [json.loads(line)["answer"] for line in read_real("gsm8k/train.jsonl.xz").splitlines()]
    assert len(answers) == 7473
    assert sum("," in answer.rpartition("#### ")[2] for answer in answers) > 50
    for answer in answers:
        gold = gold_number(answer)
        assert gold == Decimal(official_answer(answer)), answer
        assert strict_number(answer) == flexible_number(answer) == gold, answer
        said = answer.rpartition("####")[2].strip()
        assert strict_number(f"... So the answer is ${said}.\n\nQuestion: 3 + 4 = 7") == gold


@pytest.mark.parametrize(
    ("text", "strict", "flexible"),
    [
        ("The answer is 1,234.", "1234", "1234"),
        ("The answer is $1,234.50.", "1234.5", "1234.5"),
        ("The answer is -$12", "-12", "-12"),
        ("The answer is $-12", "-12", "-12"),
        ("The answer is −12", "-12", "-12"),
        ("The answer is 50%.", "50", "50"),
        ("the final answer is: **42** apples.", "42", "42"),
        (r"so \boxed{17}", "17", "17"),
        (r"so \boxed{\$17}", "17", "17"),
        ("#### 5\n\nQuestion: 2 + 2\n#### 4", "5", "4"),
        ("####12", "12", "12"),
        ("The answer is 15 * 8 = 120\n#### 120", "120", "120"),
        ("It costs 7 dollars.", None, "7"),
        ("7 - 5 = 2", None, "2"),
        ("7-5", None, "5"),
        ("7 - 5", None, "5"),
        ("(3)-2", None, "2"),
        ("= -2", None, "-2"),
        ("- 5 apples", None, "5"),
        (".5", None, "0.5"),
        ("It is 3.", None, "3"),
        ("pi is 3.14, e 2.71...", None, "2.71"),
        ("between 3 and 4, then", None, "4"),
        ("The answer is unknown", None, None),
        ("The answer is unknown: 3 or 4", None, "4"),
        ("", None, None),
        ("five", None, None),
        ("$", None, None),
        ("###", None, None),
    ],
)
def test_both_readings(text, strict, flexible):
    assert strict_number(text) == (None if strict is None else Decimal(strict))
    assert flexible_number(text) == (None if flexible is None else Decimal(flexible))


def test_numbers_are_compared_not_their_spelling():
    assert number_correct(flexible_number("$1,000.00"), "a\n#### 1000") == 1
    assert number_correct(flexible_number("0.1"), "#### .10") == 1
    assert number_correct(flexible_number("1000.01"), "#### 1,000") == 0
    assert number_correct(flexible_number("-7"), "#### 7") == 0
    assert number_correct(None, "#### 0") == 0


def test_of_two_answers_the_first_counts():
    assert gold_number("#### 1\n#### 2") == Decimal(official_answer("#### 1\n#### 2")) == 1


@pytest.mark.parametrize("answer", ["", "72", "####", "#### many", "72 ####"])
def test_an_answer_without_its_number_is_refused(answer):
    with pytest.raises(DataError, match="does not end in '####'"):
        gold_number(answer)
