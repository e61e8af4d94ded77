import pytest

from pmind.errors import DataError, ParamsError
from pmind.tasks.grouping import (
    Tokens,
    check_disjoint,
    cut_group,
    drop_long_contexts,
    fit_groups,
    group_stats,
    split_documents,
    truncate_contexts,
)
from pmind.tasks.records import Question, QuestionGroup


def group(name, questions=4, document=None, context="some words"):
    asked = tuple(Question(f"{name}-{n}", f"question {n}?", ("answer",)) for n in range(questions))
    return QuestionGroup(f"{name}-0", document or name, context, asked)


def alone(name, contexts=(), document=""):
    """A group without a shared context; each question brings its own, or none."""
    asked = tuple(
        Question(f"{name}-{n}", f"question {n}?", ("answer",), context=context, document=document and f"{document}{n}")
        for n, context in enumerate(contexts)
    )
    return QuestionGroup(f"{name}-0", name, "", asked)


WORDS = Tokens(lambda text: len(text.split()), lambda text, most: " ".join(text.split()[:most]))


def fit(groups, **changes):
    limits = {"min_questions": 1, "max_questions": 10, "max_context_tokens": 10, "max_groups": 100, "seed": 1}
    return fit_groups(groups, tokens=WORDS, **{**limits, **changes})


def test_documents_stay_whole_and_the_seed_decides():
    groups = [group(f"g{n}", document=f"d{n % 20}") for n in range(100)]
    train, test = split_documents(groups, 0.2, seed=1)
    assert sorted(g.id for g in train + test) == sorted(g.id for g in groups)
    assert len(test) == 20
    check_disjoint({"train": train, "test": test})
    assert split_documents(groups, 0.2, seed=1) == (train, test)
    assert split_documents(groups[::-1], 0.2, seed=1)[1] != split_documents(groups, 0.2, seed=2)[1]


def test_a_group_is_split_within_where_each_question_is_a_document():
    exam = alone("exam", [""] * 20, document="item ")
    train, test = split_documents([exam, group("g")], 0.25, seed=1)
    check_disjoint({"train": train, "test": test})
    sizes = [sum(len(g.questions) for g in split) for split in (train, test)]
    assert sum(sizes) == 24
    assert 6 <= sizes[1] <= 9  # a quarter of 24, and at most the four questions of g beyond it
    assert all(g.id == g.questions[0].id for g in train + test)
    kept = [question for g in train + test for question in g.questions]
    assert sorted(q.id for q in kept) == sorted(q.id for g in (exam, group("g")) for q in g.questions)


def test_a_large_document_leaves_something_to_train_on():
    train, test = split_documents([group(f"g{n}", document="ab"[n == 0]) for n in range(9)], 0.99, seed=1)
    assert train
    assert test


def test_one_document_cannot_be_split():
    with pytest.raises(DataError, match="1 document cannot be split"):
        split_documents([group("a"), group("b", document="a")], 0.2, seed=1)


def test_a_shared_document_is_found():
    with pytest.raises(DataError, match="document 'a' is in train and in test"):
        check_disjoint({"train": [group("a")], "test": [group("b"), group("c", document="a")]})


def test_a_shared_document_of_single_questions_is_found():
    with pytest.raises(DataError, match="document 'item 1' is in train and in test"):
        check_disjoint({"train": [alone("a", ["x", "y"], "item ")], "test": [group("c", document="item 1")]})


def test_large_groups_are_cut_evenly_and_named_apart():
    pieces = cut_group(group("g", questions=21), 10)
    assert [len(piece.questions) for piece in pieces] == [7, 7, 7]
    assert [question for piece in pieces for question in piece.questions] == list(group("g", questions=21).questions)
    assert len({piece.id for piece in pieces}) == 3
    assert {(piece.context, piece.document) for piece in pieces} == {("some words", "g")}
    assert cut_group(group("g", questions=10), 10) == [group("g", questions=10)]


def test_small_long_and_surplus_groups_are_left_out_and_counted():
    groups = [group("small", 2), group("long", context="w " * 11), *(group(f"g{n}", 9) for n in range(5))]
    kept, stats = fit(groups, min_questions=3, max_questions=5, max_groups=4)
    assert stats["dropped_small_groups"] == 1
    assert stats["dropped_long_contexts"] == 1
    assert stats["dropped_groups_over_cap"] == 6
    assert len(kept) == stats["groups"] == 4
    assert all(3 <= len(g.questions) <= 5 and g.id.startswith("g") for g in kept)
    assert fit(groups, max_groups=3, seed=1)[0] == fit(groups, max_groups=3, seed=1)[0]
    assert len({tuple(g.id for g in fit(groups, max_groups=3, seed=seed)[0]) for seed in range(5)}) > 1


def test_a_long_context_of_a_question_alone_leaves_the_others():
    groups = [alone("mixed", ["a b c", "a"]), alone("long", ["a b c"]), group("shared", 2, context="a b c")]
    kept, dropped = drop_long_contexts(groups, 2, WORDS)
    assert [question.id for g in kept for question in g.questions] == ["mixed-1"]
    assert dropped == 3  # two questions, and one group


def test_long_contexts_can_be_cut():
    groups = [alone("own", ["a b c", "a"]), group("shared", 2, context="a b c"), group("short", context="a b")]
    kept, cut = truncate_contexts(groups, 2, WORDS)
    assert [g.context for g in kept] == ["", "a b", "a b"]
    assert [question.context for question in kept[0].questions] == ["a b", "a"]
    assert cut == 2
    kept, stats = fit([group("long", context="w " * 11)], long_contexts="truncate")
    assert len(kept[0].context.split()) == 10
    assert stats["truncated_contexts"] == 1
    assert "dropped_long_contexts" not in stats


def test_stats_count_tokens():
    _, stats = fit([group("a", 1, context="one two three"), group("b", 3, context="one")])
    assert stats == {
        "groups": 2,
        "questions": 4,
        "unanswerable_questions": 0,
        "documents": 2,
        "tokens": 4 + 4 * 2 + 4,
        "mean_context_tokens": 2.0,
        "max_context_tokens": 3,
        "mean_question_tokens": 2.0,
        "mean_answer_tokens": 1.0,
        "dropped_small_groups": 0,
        "dropped_long_contexts": 0,
        "dropped_groups_over_cap": 0,
    }


def test_stats_count_own_contexts_and_no_contexts():
    stats = group_stats([alone("own", ["a b c", "a"], "d"), group("none", 2, context="")], WORDS.count)
    assert (stats["mean_context_tokens"], stats["max_context_tokens"]) == (round(4 / 3, 2), 3)
    assert (stats["documents"], stats["tokens"]) == (3, 4 + 4 * 2 + 4)


def test_stats_count_questions_without_an_answer():
    asked = (Question("1", "a?", ()), Question("2", "b?", ("answer",)))
    stats = group_stats([QuestionGroup("g", "d", "c", asked)], WORDS.count)
    assert (stats["unanswerable_questions"], stats["mean_answer_tokens"]) == (1, 0.5)


def test_nothing_left_is_an_error():
    with pytest.raises(DataError, match="none of 1 groups has at least 5 questions and at most 10 context tokens"):
        fit([group("a")], min_questions=5)


def test_contradicting_limits_are_an_error():
    with pytest.raises(ParamsError, match="min_questions 4 exceeds max_questions 3"):
        fit([group("a")], min_questions=4, max_questions=3)
