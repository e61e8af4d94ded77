import itertools
import json
import random

import pytest

from pmind.evaluation.metrics.drop import SPAN_SEPARATOR, drop_exact, drop_f1, drop_normalize
from tests.unit.evaluation.metrics import official

SPANS = [
    "the 78-yard pass",
    "78",
    "yard pass",
    "56 yards",
    "56.0 Yards",
    "",
    "a",
    "Lions",
    "New-York",
    "1,200",
    "8 May",
]


def join(spans):
    return SPAN_SEPARATOR.join(spans)


@pytest.mark.parametrize(
    ("predicted", "gold", "exact", "f1"),
    [  # the evaluator's own tests expect these values
        (["78"], ["78.0"], 1, 1),
        (["td"], ["td", "td"], 0, 0.5),
        (["td", "td"], ["td"], 0, 0.5),
        (["the", "fat", "cat", "the fat", "fat cat", "the fat cat"], ["cat"], 0, 0.17),
        (["cat"], ["the", "fat", "cat", "the fat", "fat cat", "the fat cat"], 0, 0.17),
        (["the", "fat", "cat", "the fat", "fat cat", "the fat cat"], ["cat", "cat dog"], 0, 0.25),
        (["the a NOT an ARTICLE the an a"], ["NOT ARTICLE"], 1, 1),
        (["50 yard"], ["yard 50"], 0, 1),
        (["Per.i.o.d...."], [".P....e.r,,i...o...d,,"], 1, 1),
        (["Spa     c  e   s     "], ["    Spa c     e s"], 1, 1),
        (["78-yard"], ["78 yard"], 1, 1),
        (["78"], ["78-yard"], 0, 0.67),
        (["Green bay", "packers"], ["packers", "Green bay"], 1, 1),
        ([""], ["army"], 0, 0),
        (["yard"], ["36 yard td"], 0, 0),
        (["23 yards"], ["43 yards"], 0, 0),
        (["56 yards"], ["56 yd"], 0, 0.5),
        (["26"], ["26 yard td"], 0, 0.5),
        (["78-yard", "56", "28", "40", "44", "touchdown"], ["78-yard", "56 yard", "1 yard touchdown"], 0, 0.28),
        (["23", "23 yard"], ["23-yard", "56 yards"], 0, 0.5),
        (["John Karman", "Joe Hardy"], ["Joe Karman", "John Hardy"], 0, 0.5),
        (["ottoman", "Kantakouzenous"], ["ottoman", "army of Kantakouzenous"], 0, 0.75),
    ],
)
def test_published_cases(predicted, gold, exact, f1):
    assert (drop_exact(join(predicted), [join(gold)]), drop_f1(join(predicted), [join(gold)])) == (exact, f1)


def test_pairing_is_the_best_of_all_pairings():
    dice = random.Random(0)
    for _ in range(400):
        predicted = dice.choices(SPANS, k=dice.randint(1, 4))
        gold = [dice.choice([span for span in SPANS if span]), *dice.choices(SPANS, k=dice.randint(0, 3))]
        exact, f1 = official.drop_metrics(predicted, gold)
        assert drop_exact(join(predicted), [join(gold)]) == exact, (predicted, gold)
        assert drop_f1(join(predicted), [join(gold)]) == pytest.approx(f1, abs=0.005001), (predicted, gold)


def test_real_answers(read_real):
    pairs = [pair for section in json.loads(read_real("fixtures/drop.json")).values() for pair in section["qa_pairs"]]
    spans = [official.drop_answer_spans(pair["answer"]) for pair in pairs]
    assert len(spans) == 19
    for predicted, gold in itertools.product(spans, spans):
        exact, f1 = official.drop_metrics(predicted, gold)
        assert drop_exact(join(predicted), [join(gold)]) == exact
        assert drop_f1(join(predicted), [join(gold)]) == pytest.approx(f1, abs=0.005001)
        assert drop_exact(f"The {join(predicted)}!", [join(gold)]) == exact


def test_validated_answers_count_as_much():
    assert drop_exact("17 August", ["August", "17", "17 August "]) == 1
    assert drop_f1("span1", ["span1; span2", "span2"]) == 0.5


def test_an_answer_whose_first_span_is_blank_does_not_count():
    assert drop_exact("", ["  "]) == drop_f1("", ["  "]) == drop_f1("x", ["; x"]) == 0
    assert drop_exact("x", []) == drop_f1("x", []) == 0


@pytest.mark.parametrize(
    ("span", "normal"),
    [("12.000", "12.0"), ("  1.2e1  ", "12.0"), ("S.K. Singh", "sk singh"), ("-5", "5.0"), ("$1,000", "1000.0")],
)
def test_normalisation(span, normal):
    assert drop_normalize(span) == official.drop_span(span) == normal


def test_f1_has_two_digits():
    assert drop_f1("red door key", ["red"]) == 0.5
    assert drop_f1("red door", ["red door key"]) == 0.8
    assert drop_f1("red", ["red; door; key"]) == 0.33
