import pytest

from pmind.errors import DataError
from pmind.evaluation.chance import choice_chance, question_pattern, text_chance
from pmind.tasks.records import Question, QuestionGroup


def group(document, *questions):
    return QuestionGroup(f"{document}-1", document, "passage", tuple(questions))


def free(number, text, *answers):
    return Question(f"q{number}", text, answers)


def choice(number, options, *correct, document=""):
    return Question(f"q{number}", f"{number}?", tuple(options[i] for i in correct), options, correct, document=document)


def test_the_most_frequent_answer():
    test = [group(name, free(name, f"about {name}?", "The red" if name in "ab" else name)) for name in "abcd"]
    assert text_chance(test, []).value == 0.5
    assert text_chance(test, []).predictor == "frequent"


def test_a_question_asked_in_other_documents():
    test = [group(name, free(name + kind, kind, kind)) for name in "abc" for kind in ("river", "hill")]
    assert (text_chance(test, []).value, text_chance(test, []).predictor) == (1.0, "question")


def test_a_question_that_differs_by_the_title_only():
    test = [
        group(name, *(free(name + kind, f"Which {kind} is near {name}?", kind) for kind in ("river", "hill")))
        for name in ("Torvale", "Ashby", "Kelton")
    ]
    assert (text_chance(test, []).value, text_chance(test, []).predictor) == (1.0, "pattern")


def test_saying_nothing_is_a_guess():
    test = [
        group(name, free(name, f"about {name}?", *answers)) for name, answers in zip("abc", ["", "", "x"], strict=True)
    ]
    assert (text_chance(test, []).value, text_chance(test, []).predictor) == (pytest.approx(2 / 3), "frequent")


def test_a_document_does_not_tell_its_own_answers():
    own = [group("a", free(number, "Which river?", "Arn")) for number in range(3)]
    others = [group(str(number), free(f"x{number}", f"unlike {number}?", f"answer {number}")) for number in range(7)]
    chance = text_chance([*own, *others], [])
    assert (chance.value, chance.predictor) == (0.3, "frequent")


def test_training_answers_are_known():
    test = [group(str(number), free(number, f"question {number}?", f"answer {number}")) for number in range(4)]
    train = [group(f"t{number}", free(number, f"question {number}?", f"answer {number}")) for number in range(3)]
    assert (text_chance(test, train).value, text_chance(test, train).predictor) == (0.75, "training_question")


def test_uniform_choice():
    test = [group("a", choice(1, ("u", "v"), 0)), group("b", choice(2, ("w", "x", "y", "z"), 1), free(3, "?", "u"))]
    chance = choice_chance(test, [])
    assert (chance.value, chance.predictor) == (0.375, "uniform")


def test_questions_with_several_right_options_are_left_out():
    test = [group("a", choice(1, ("u", "v"), 0)), group("b", choice(2, ("w", "x", "y", "z"), 1, 2))]
    train = [group("t", choice(3, ("v", "x"), 0, 1))]
    assert (choice_chance(test, train).value, choice_chance(test, train).predictor) == (0.5, "uniform")


def test_a_question_can_be_a_document_of_its_own():
    """Else the questions of one exam could not tell each other's letter, nor those of one group."""
    options = [(f"a{n}", f"b{n}", f"c{n}") for n in range(5)]
    apart = [group("exam", *(choice(n, options[n], 1, document=f"question {n}") for n in range(5)))]
    together = [group("exam", *(choice(n, options[n], 1) for n in range(5)))]
    assert (choice_chance(apart, []).value, choice_chance(apart, []).predictor) == (1.0, "letter")
    assert choice_chance(together, []).value == pytest.approx(1 / 3)


def test_the_most_frequent_letter_of_other_documents():
    test = [group(str(number), choice(number, (f"a{number}", f"b{number}", f"c{number}"), 1)) for number in range(5)]
    assert (choice_chance(test, []).value, choice_chance(test, []).predictor) == (1.0, "letter")


def test_an_option_that_is_often_right():
    orders = [("肺炎", "胃炎"), ("胃炎", "肺炎"), ("肺炎", "痛风"), ("痛风", "肺炎")]
    test = [group(str(number), choice(number, order, order.index("肺炎"))) for number, order in enumerate(orders)]
    assert (choice_chance(test, []).value, choice_chance(test, []).predictor) == (1.0, "option")


def test_training_tells_which_option_is_often_right():
    test = [group("a", choice(1, ("肺炎", "胃炎"), 0)), group("b", choice(2, ("痛风", "贫血"), 1))]
    train = [group("t", choice(3, ("肺炎", "咽炎"), 0), choice(4, ("咽炎", "贫血"), 1))]
    assert (choice_chance(test, train).value, choice_chance(test, train).predictor) == (1.0, "option")


@pytest.mark.parametrize(
    ("document", "text", "pattern"),
    [
        ("Marie_Curie", "Where was Curie born?", "Where was _ born?"),
        ("Ash", "Is Ash an ash or Ashby?", "Is _ an _ or Ashby?"),
        ("吕小兰", "吕小兰的诊断是什么?", "_的诊断是什么?"),
        ("", "Who?", "Who?"),
    ],
)
def test_title_words_are_masked(document, text, pattern):
    assert question_pattern(document, Question("1", text, ("x",))) == pattern


def test_nothing_to_guess_is_an_error():
    with pytest.raises(DataError, match="no questions"):
        text_chance([], [])
    with pytest.raises(DataError, match="no test question has one right option"):
        choice_chance([group("a", free(1, "?", "x"))], [])
