from dataclasses import replace
from pathlib import Path

import pytest

from pmind.params import TaskParams, load_section
from pmind.tasks.grouping import cut_group
from pmind.tasks.loading import load_task
from pmind.tasks.records import Question, QuestionGroup
from pmind.tasks.swapping import swap_contexts

PARAMS = Path(__file__).parents[3] / "params.yaml"


def group(name, document, context, answers):
    asked = tuple(Question(f"{name}-{n}", f"question {n}?", (answer,)) for n, answer in enumerate(answers))
    return QuestionGroup(name, document, context, asked)


def contexts(groups, seed=1):
    return {swapped.id: swapped.context for swapped in swap_contexts(groups, seed)}


def test_the_context_that_answers_most_questions_differently_is_preferred():
    groups = [
        group("a", "d", "A", "xyz"),
        group("same answers", "d", "B", "xyz"),
        group("one differs", "e", "C", "xyq"),
        group("all differ", "f", "D", "pqr"),
    ]
    assert contexts(groups)["a"] == "D"


def test_without_a_twin_the_context_is_of_another_document():
    groups = [group("a", "d", "A", "x"), group("b", "d", "B", "x"), group("c", "e", "C", "x"), group("e", "f", "", "x")]
    drawn = [contexts(groups, seed) for seed in range(10)]
    assert {(swapped["a"], swapped["b"]) for swapped in drawn} == {("C", "C")}
    assert {swapped["c"] for swapped in drawn} == {"A", "B"}
    assert {swapped["e"] for swapped in drawn} == {"A", "B", "C"}
    many = [group(str(n), str(n), str(n), "x") for n in range(30)]
    assert contexts(many) == contexts(many)
    assert contexts(many) != contexts(many, seed=2)
    assert all(name != context for name, context in contexts(many).items())


def test_half_of_the_questions_do_not_make_a_twin():
    groups = [group("a", "d", "A", "xy"), group("b", "d", "B", "xq"), group("c", "e", "C", "xy")]
    assert {contexts(groups, seed)["a"] for seed in range(10)} == {"C"}


def test_groups_without_any_other_context_are_left_out():
    assert swap_contexts([group("a", "d", "", "x"), group("b", "e", "", "x")], seed=1) == []
    assert swap_contexts([group("a", "d", "A", "x"), group("b", "e", "A", "y")], seed=1) == []


def test_questions_with_their_own_context_are_left_out():
    own = QuestionGroup("own", "f", "", (Question("own-0", "question 0?", ("x",), context="O"),))
    assert contexts([group("a", "d", "A", "x"), own, group("b", "e", "B", "x")]) == {"a": "B", "b": "A"}


@pytest.mark.parametrize("name", ["squad", "cmb"])
def test_builtin_groups_get_their_twins_context_even_when_cut(name):
    shipped = load_section(PARAMS, name, TaskParams)
    whole = load_task(replace(shipped, source="builtin", train_groups=2, test_groups=48), seed=1).test
    cut = [piece for each in whole for piece in cut_group(each, 3)]
    for groups in (whole, cut):
        swapped = swap_contexts(groups, seed=1)
        assert len(swapped) == len(groups)
        for before, after in zip(groups, swapped, strict=True):
            assert after == replace(before, context=after.context)
            assert after.context != before.context
            assert before.document in after.context
            facts = before.context.split(before.questions[0].answers[0])
            assert len(facts) == 2  # the answer stands in the passage once …
        right = [q.answers[0] in after.context for after in swapped for q in after.questions]
        assert not any(right)  # … and nowhere in the swapped one
