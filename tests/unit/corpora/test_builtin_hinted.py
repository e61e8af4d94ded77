"""Who reads a sibling's question knows; who does not guesses among four."""

import re
from collections import Counter

import pytest

from pmind.corpora.builtin_chained import ROLES
from pmind.corpora.builtin_hinted import HINTED, TOLD, hinted_task

FACTS = {
    "name": re.compile(r"(?:Its|The) (\w+) ([A-Z]\w+) "),
    "home": re.compile(r"For (\w+) ([A-Z]\w+) is home\."),
    "ware": re.compile(r"By (\w+) ([A-Z]\w+) is sold\."),
}


@pytest.fixture(scope="module")
def passages():
    return [p for article in hinted_task("train", 400, seed=1)["data"] for p in article["paragraphs"]]


def answer_of(question):
    return question["answers"][0]["text"]


def told(question):
    """What is asked, and the role if the question says."""
    for asked, text in HINTED.items():
        if question["question"] == text:
            return asked, None
    for asked, text in TOLD.items():
        match = re.fullmatch(text.rstrip("?").format(town=r"\w+", role=r"(\w+)") + r"\?", question["question"])
        if match:
            return asked, match[1]
    raise AssertionError(question)


def test_one_question_tells_the_role_and_with_it_every_answer_is_certain(passages):
    for passage in passages:
        facts = {asked: dict(pattern.findall(passage["context"])) for asked, pattern in FACTS.items()}
        (telling,) = (question for question in passage["qas"] if question["category"] == "independent")
        _, role = told(telling)
        assert {told(question)[0] for question in passage["qas"]} == {*TOLD}
        for question in passage["qas"]:
            asked, own = told(question)
            assert facts[asked][role] == answer_of(question)
            assert passage["context"][question["answers"][0]["answer_start"] :].startswith(answer_of(question))
            assert (own == role) == (question is telling)
            assert question["needs"] == ([] if question is telling else [telling["id"]])


def test_alone_a_hinted_question_has_four_answers_none_favoured(passages):
    places = {asked: Counter() for asked in TOLD}
    for passage in passages:
        for question in passage["qas"]:
            asked, role = told(question)
            if role is None:
                rivals = [value for _, value in FACTS[asked].findall(passage["context"])]
                assert len(set(rivals)) == len(ROLES)
                places[asked][rivals.index(answer_of(question))] += 1
    for counted in places.values():
        assert all(abs(count / counted.total() - 1 / len(ROLES)) < 0.08 for count in counted.values())


def test_the_telling_question_stands_anywhere(passages):
    places = Counter([question["category"] for question in passage["qas"]].index("independent") for passage in passages)
    assert min(places[place] for place in range(3)) > 0.25 * places.total()
