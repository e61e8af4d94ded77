"""Dependent questions are a guess alone, and one step with the answer they refer to."""

import re
from collections import Counter
from itertools import combinations

import pytest

from pmind.corpora.builtin_chained import ROLES, chained_task

SIZES = {"train": 400, "val": 100, "test": 100}
REFERENCE = re.compile(r"the (?:person|place) from question (\d)")
FACT = re.compile(r"\b([A-Z]?\w+) ([A-Z]\w+)(?= (?:is home|sells|smiles|sings|waits))")
HOME = re.compile(r"For \w+ (\w+) is home")
WARE = re.compile(r"In \w+ (\w+) sells")


def passages_of(split):
    return [p for article in chained_task(split, SIZES[split], seed=1)["data"] for p in article["paragraphs"]]


@pytest.fixture(scope="module")
def passages():
    return passages_of("train")


def answer_of(question):
    return question["answers"][0]["text"]


def key_of(question, passage):
    """The word that the answer follows, found as a reader does who knows the other answers."""
    number = REFERENCE.search(question["question"])
    if number:
        return answer_of(passage["qas"][int(number[1]) - 1])
    (role,) = re.findall("|".join(ROLES), question["question"]) or re.findall(r" ([A-Z]\w+)", question["question"])
    return role


def test_every_answer_follows_its_key_and_a_dependent_questions_key_is_the_answer_it_needs(passages):
    for passage in passages:
        facts = dict(FACT.findall(passage["context"]))
        wares = any("sells" in question["question"] for question in passage["qas"])
        assert len(facts) == (3 if wares else 2) * len(ROLES)
        for question in passage["qas"]:
            assert facts[key_of(question, passage)] == answer_of(question)
            start = question["answers"][0]["answer_start"]
            assert passage["context"][start:].startswith(answer_of(question))


def test_the_number_in_the_text_is_that_of_the_needed_question(passages):
    for passage in passages:
        ids = [question["id"] for question in passage["qas"]]
        for place, question in enumerate(passage["qas"]):
            numbers = [int(number) - 1 for number in REFERENCE.findall(question["question"])]
            assert question["needs"] == [ids[number] for number in numbers]
            assert place not in numbers
            assert question["category"] == ("dependent" if numbers else "independent")


def test_groups_mix_both_kinds_with_sources_before_and_after_and_chains_of_two(passages):
    before = after = chains = 0
    for passage in passages:
        asked = {question["id"]: question for question in passage["qas"]}
        assert 4 <= len(asked) <= 8
        assert len({question["question"] for question in passage["qas"]}) == len(asked)
        assert {question["category"] for question in passage["qas"]} == {"independent", "dependent"}
        order = list(asked)
        for identity, question in asked.items():
            for need in question["needs"]:
                before += order.index(need) < order.index(identity)
                after += order.index(need) > order.index(identity)
                chains += bool(asked[need]["needs"])
    assert min(before, after) > 0.4 * (before + after)
    assert chains > 0.3 * len(passages)


def test_alone_a_dependent_question_is_one_of_four_by_chance(passages):
    """Its text tells nothing of the passage, and no place in the passage is favoured."""
    places = Counter()
    for passage in passages:
        for question in passage["qas"]:
            if question["category"] == "dependent":
                assert not set(re.findall(r" ([A-Z]\w+)", question["question"]))
                rivals = (HOME if "home" in question["question"] else WARE).findall(passage["context"])
                assert len(set(rivals)) == len(ROLES)
                places[rivals.index(answer_of(question))] += 1
    assert all(abs(count / places.total() - 1 / len(ROLES)) < 0.05 for count in places.values())


def test_splits_share_no_town_and_no_passage():
    made = {split: passages_of(split) for split in SIZES}
    for one, other in combinations(made, 2):
        assert {p["context"] for p in made[one]}.isdisjoint(p["context"] for p in made[other])
    titles = [{article["title"] for article in chained_task(split, 100, seed=1)["data"]} for split in SIZES]
    assert all(one.isdisjoint(other) for one, other in combinations(titles, 2))


def test_twins_are_asked_the_same_and_answer_differently(passages):
    for one, other in zip(passages[::2], passages[1::2], strict=True):
        assert [q["needs"] == [] for q in one["qas"]] == [q["needs"] == [] for q in other["qas"]]
        assert all(answer_of(q) != answer_of(r) for q, r in zip(one["qas"], other["qas"], strict=True))
