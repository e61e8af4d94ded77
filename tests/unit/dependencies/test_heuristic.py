"""Candidates from words: what is found, and what is not."""

import pytest

from pmind.dependencies.aggregates import AGGREGATE
from pmind.dependencies.heuristic import propose_by_words
from pmind.dependencies.keywords import ASKED, SHARED
from pmind.dependencies.numbered import NUMBERED
from pmind.dependencies.reference_words import OWN_PERHAPS, REFERENCE
from pmind.dependencies.selection import SelectionRules

USUAL = SelectionRules().min_confidence
FILLER = ["Why is rain wet?", "Why is snow cold?"]


def found(*questions: str) -> dict[tuple[int, int], float]:
    """Candidates by their ends, those below the usual minimum left out."""
    return {edge.ends: edge.confidence for edge in propose_by_words(questions) if edge.confidence >= USUAL}


@pytest.mark.parametrize(
    ("question", "sources"),
    [
        ("When was the person from question 2 born?", {1}),
        ("Do the answers 1 and 2 agree?", {0, 1}),
        ("What do questions 1, 2 and 3 have in common?", {0, 1, 2}),
        ("Sum up questions 1-3.", {0, 1, 2}),
        ("Sum up questions 1 to 3.", {0, 1, 2}),
        ("How far is Q2's town from here?", {1}),
        ("Who knew the answer of the second question?", {1}),
        ("Does the 3rd question matter?", {2}),
        ("Why is the previous answer right?", {2}),
        ("问题2的人出生在何时？", {1}),
        ("问题一和三的答案相同吗？", {0, 2}),
        ("第一题的病人多大？", {0}),
        ("第1、2题的药物有何不同？", {0, 1}),
        ("第二个问题的答案为什么对？", {1}),
        ("上一题的答案为什么对？", {2}),
        ("What was revenue in Q3 2019?", set()),
        ("What is in question 9?", set()),
        ("Why is question 4 asked?", set()),  # itself
        ("问题一直存在吗？", set()),
        ("Name 2 rivers.", set()),
    ],
)
def test_questions_that_name_others(question, sources):
    assert found("Why?", "How?", "Where?", question) == {(source, 3): NUMBERED for source in sources}


def test_a_later_question_may_be_named():
    assert found("Is the city of question 2 large?", "Where?") == {(1, 0): NUMBERED}


@pytest.mark.parametrize(
    "question",
    [
        "Where was she born?",
        "In which year was it built?",
        "Where was that person born?",
        "Who objected to this?",
        "What did the latter want?",
        "In May, where did he go?",
        "What is the name of his wife?",
        "他出生在哪里？",
        "哪一年他去世了？",
        "该患者应如何治疗？",
        "这个人是哪国人？",
        "为什么说这个？",
        "其主要症状是什么？",
    ],
)
def test_reference_words_point_to_the_question_before(question):
    assert found("Why is rain wet?", question) == {(0, 1): REFERENCE}


@pytest.mark.parametrize(
    "question",
    [
        "When did Marie Curie meet her husband?",
        "Is it true?",
        "How long did it take?",
        "What does this passage say?",
        "Which team that won lost later?",
        "Which mill burned, and who owned that mill?",
        "患者应该如何治疗？",
        "其中哪一个最大？",
        "因此有何后果？",
        "其他人怎么了？",
        "这篇短文说了什么？",
    ],
)
def test_words_that_mean_nothing_outside_their_question(question):
    assert found("Why is rain wet?", question) == {}


def test_a_thing_of_its_own_makes_a_pronoun_doubtful():
    assert found("Why is rain wet?", "Why did the museum move its paintings?") == {(0, 1): OWN_PERHAPS}
    assert found("为什么下雨？", "博物馆为什么搬走它的画？") == {(0, 1): OWN_PERHAPS}


def test_a_run_of_pronouns_waits_for_the_question_that_introduces_them_not_for_each_other():
    assert found("Who discovered radium?", "Where was she born?", "When did she die?") == {
        (0, 1): REFERENCE,
        (0, 2): REFERENCE,
    }
    assert found("谁发现了镭？", "她出生在哪里？", "她何时去世？") == {(0, 1): REFERENCE, (0, 2): REFERENCE}


def test_a_person_is_one_that_a_question_asked_for():
    assert found("Who painted Torvale?", "When does snow melt?", "Where was she born?") == {(0, 2): REFERENCE}


def test_pronouns_from_the_first_question_on_mean_the_context():
    assert found("Where was she born?", "When did she die?") == {}
    assert found("In this war, who won?", "Who lost in this war?") == {}


def test_a_demonstrative_finds_its_noun_or_what_asks_for_it():
    assert found("Which proclamation came first?", "Why is rain wet?", "When was this proclamation read?") == {
        (0, 2): REFERENCE
    }
    assert found("Where was Livia born?", "Why is rain wet?", "Who rules in that city?") == {(0, 2): REFERENCE}
    assert found("谁画了这幅画？", "为什么下雨？", "这个人多大？") == {(0, 2): REFERENCE}


@pytest.mark.parametrize("sum_", ["How many animals in total?", "How many altogether?", "总共有多少动物？"])
def test_a_sum_needs_the_counts_before_it(sum_):
    assert found("How many cats?", "Why is rain wet?", "How many dogs?", sum_) == {(0, 3): AGGREGATE, (2, 3): AGGREGATE}
    assert found("How many cats?", "Why is rain wet?", sum_) == {}  # one count alone makes no sum


def test_pairs_need_the_two_before_and_all_needs_all():
    first = ["Why is rain wet?", "Where is Torvale?", "When does snow melt?"]
    assert found(*first, "Are both right?") == {(1, 3): AGGREGATE, (2, 3): AGGREGATE}
    assert found(*first, "Are both cats and dogs here?") == {}
    assert set(found(*first, "Why do all of these matter?")) == {(0, 3), (1, 3), (2, 3)}


def test_a_word_runs_from_the_question_that_asks_for_it_to_the_one_that_uses_it():
    asks, uses = "Which river floods Torvale?", "How long is the river?"
    assert found(asks, uses, *FILLER) == {(0, 1): ASKED}
    assert found(uses, asks, *FILLER) == {(1, 0): ASKED}  # in whatever order
    assert found("哪条河流最长？", "该河流流经何处？", *FILLER)[0, 1] >= ASKED


def test_a_word_that_is_only_shared_is_below_the_usual_minimum_and_runs_from_earlier_to_later():
    edges = propose_by_words(["Why does Torvale flood?", "When did Torvale burn?", *FILLER])
    assert [(edge.ends, edge.confidence) for edge in edges] == [((0, 1), SHARED)]
    assert SHARED < USUAL


def test_words_of_all_questions_say_nothing():
    assert propose_by_words(["Why does Torvale flood?", "When did Torvale burn?", "Who left Torvale?"]) == []
    assert propose_by_words(["谁离开了华沙？", "华沙为什么被烧？", "华沙何时建成？"]) == []


def test_of_several_reasons_the_strongest_counts():
    edges = propose_by_words(["Who painted it?", "Was that person of question 1 old?"])
    assert [(edge.ends, edge.confidence) for edge in edges] == [((0, 1), NUMBERED)]
    assert propose_by_words([]) == propose_by_words(["Why?"]) == []
