import typing

import pytest

from pmind.evaluation.scores import (
    BOUNDS,
    SCORINGS,
    aggregates,
    choice_correct,
    chosen_letter,
    chosen_option,
    named_options,
    score_rows,
    scores_of,
)
from pmind.tasks.dataset import Scoring
from tests.answers import row

CITIES = ("Paris", "Rome", "Bern")


def choice(scores=(-3.0, -1.0, -2.0), correct=(1,), text="", scoring="choice"):
    references = tuple(CITIES[index] for index in correct)
    return row(scoring=scoring, options=CITIES, correct=correct, references=references, option_scores=scores, text=text)


def test_every_scoring_of_a_dataset_has_its_scores():
    assert SCORINGS.keys() == set(typing.get_args(Scoring))


def test_the_most_likely_option_is_chosen():
    assert (chosen_option(choice()), chosen_letter(choice())) == (1, "B")
    assert choice_correct(choice())
    assert not choice_correct(choice(correct=(0,)))


def test_a_tie_at_the_top_is_wrong():
    assert chosen_letter(choice((-1.0, -1.0, -2.0))) is None
    assert not choice_correct(choice((-1.0, -1.0, -2.0)))
    assert choice_correct(choice((-2.0, -1.0, -2.0)))


def test_what_was_not_scored_has_no_letter():
    assert chosen_letter(row()) is None
    assert not choice_correct(row())


@pytest.mark.parametrize(
    ("text", "correct", "scoring", "named"),
    [
        ("B", (1,), "choice", (1,)),
        ("The answer is (C).", (1,), "choice", (2,)),
        ("It must be rome.", (1,), "choice", (1,)),
        ("A dog", (1,), "choice", None),
        ("A, C", (1,), "choice", None),  # one is asked for
        ("A, C", (0, 2), "choice", (0, 2)),
        ("A, C", (1,), "multirc", (0, 2)),  # there, one right option is not said to be the only one
    ],
)
def test_letters_come_before_the_options_texts(text, correct, scoring, named):
    assert named_options(choice((), correct, text, scoring)) == named


@pytest.mark.parametrize("scoring", ["squad", "squad2", "hotpot", "cmrc"])
def test_extracted_answers(scoring):
    scores = scores_of(row(scoring=scoring, text="red door key", references=("blue", "red door")))
    assert scores["em"] == 0
    assert scores["f1"] == pytest.approx(2 * (2 / 3) * 1 / (2 / 3 + 1))
    assert scores["lenient"] == 1
    assert scores_of(row(scoring=scoring, text="red door", references=("blue", "red door"))) == {
        "em": 1, "f1": 1, "lenient": 1
    }  # fmt: skip


def test_no_answer_is_answered_by_nothing():
    assert scores_of(row(scoring="squad2", references=(), text="")) == {"em": 1, "f1": 1}
    assert scores_of(row(scoring="squad2", references=(), text="red")) == {"em": 0, "f1": 0}


def test_each_evaluator_is_its_own():
    assert scores_of(row(scoring="hotpot", text="yes it is", references=("yes",)))["f1"] == 0
    assert scores_of(row(scoring="squad", text="yes it is", references=("yes",)))["f1"] == 0.5
    assert scores_of(row(scoring="drop", text="25.0", references=("25",)))["em"] == 1
    assert scores_of(row(scoring="squad", text="25.0", references=("25",)))["em"] == 0


def test_choice_is_scored_by_likelihood_and_by_text():
    scores = scores_of(choice(text="Rome"))
    assert scores == {"accuracy": 1, "accuracy_generated": 1, "em": 1, "f1": 1, "lenient": 1}
    assert scores_of(choice(correct=(2,), text="C"))["accuracy_generated"] == 1
    assert scores_of(choice(correct=(2,), text="C"))["accuracy"] == 0


def test_several_right_options_are_scored_by_text_alone():
    assert "accuracy" not in scores_of(choice((), (0, 2), "A, C"))
    assert scores_of(choice((), (0, 2), "A, C"))["accuracy_generated"] == 1
    assert scores_of(choice((), (0, 2), "C"))["accuracy_generated"] == 0


@pytest.mark.parametrize(
    ("text", "correct", "scores"),
    [
        ("A, C", (0, 2), {"em": 1, "f1": 1}),
        ("A, B", (0, 2), {"em": 0, "f1": 0.5}),
        ("B", (0, 2), {"em": 0, "f1": 0}),
        ("", (0,), {"em": 0, "f1": 0}),
    ],
)
def test_sets_of_options(text, correct, scores):
    assert scores_of(choice((), correct, text, "multirc")) == scores


def test_free_text_is_scored_by_overlaps():
    same = scores_of(row(scoring="text", text="the cat sat on the mat", references=("the cat sat on the mat",)))
    assert same == pytest.approx({"em": 1, "f1": 1, "bleu4": 1, "rouge1": 1, "rouge2": 1, "rougeL": 1})
    chinese = scores_of(row(scoring="text", text="注意休息", references=("注意休息多饮水",)))
    assert chinese["rouge1"] == pytest.approx(2 * 4 / (4 + 7))  # by characters
    assert set(scores_of(row(scoring="text", text="", references=("x",))).values()) == {0}


def test_numbers():
    told = row(scoring="gsm8k", references=("18",), text="2 * 9 = 18.\n#### 18")
    assert scores_of(told) == {"accuracy": 1, "accuracy_strict": 1}
    assert scores_of(row(scoring="gsm8k", references=("18",), text="It is $18.00.")) == {
        "accuracy": 1, "accuracy_strict": 0
    }  # fmt: skip
    assert scores_of(row(scoring="gsm8k", references=("18",), text="17")) == {"accuracy": 0, "accuracy_strict": 0}


def test_programs_have_no_score_until_they_are_run():
    assert scores_of(row(scoring="humaneval", text="    return 1")) == {}


def test_a_measure_holds_the_questions_that_have_it():
    rows = [row(question_id="a", text="x"), row(question_id="b", scoring="squad2", references=(), text="x")]
    scores = score_rows(rows)
    assert scores["em"] == {"a": 1, "b": 0}
    assert scores["lenient"] == {"a": 1}


def test_scores_of_a_judge_are_grades():
    assert set(BOUNDS.values()) == {(1, 5)}


def test_kinds_of_squad2_are_averaged_apart():
    rows = [
        row(question_id="a", scoring="squad2", category="HasAns", text="x"),
        row(question_id="b", scoring="squad2", category="HasAns", text="y"),
        row(question_id="c", scoring="squad2", category="NoAns", references=(), text=""),
        row(question_id="d", scoring="squad2", references=(), text="no category"),
    ]
    assert aggregates(rows) == {"HasAns_em": 0.5, "HasAns_f1": 0.5, "NoAns_em": 1, "NoAns_f1": 1}
    assert aggregates([row()]) == {}


def test_options_of_all_questions_count_alike():
    rows = [
        choice((), (0, 2), "A, C", "multirc"),
        choice((), (1,), "A", "multirc"),
    ]
    assert aggregates(rows) == {"f1a": pytest.approx(2 * 2 / (3 + 3), abs=1e-6)}


def test_the_corpus_has_one_bleu():
    rows = [
        row(scoring="text", text="the cat sat on the mat", references=("the cat sat on the mat",)),
        row(scoring="text", text="a dog", references=("it rained all day long",)),
    ]
    mean = sum(scores_of(entry)["bleu4"] for entry in rows) / 2
    assert 0.5 < aggregates(rows)["corpus_bleu4"] < 0.8
    assert aggregates(rows)["corpus_bleu4"] != pytest.approx(mean, abs=1e-3)
