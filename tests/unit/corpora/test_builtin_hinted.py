"""Who reads a sibling's question knows; who does not tosses a coin."""

import re
from collections import Counter

import pytest

from pmind.corpora.builtin_hinted import MARKED, MARKS, hinted_task

FACT = re.compile(rf"({'|'.join(MARKS)}) (\w+) ([A-Z]\w+)")
ASKED = re.compile(rf"who is the (?:({'|'.join(MARKS)}) )?(\w+)\?")


@pytest.fixture(scope="module")
def passages():
    return [p for article in hinted_task("train", 400, seed=1)["data"] for p in article["paragraphs"]]


def answer_of(question):
    return question["answers"][0]["text"]


def test_one_question_tells_the_mark_and_with_it_every_answer_is_certain(passages):
    for passage in passages:
        facts = {(mark, role): name for mark, role, name in FACT.findall(passage["context"])}
        (telling,) = (question for question in passage["qas"] if question["category"] == "independent")
        mark = ASKED.search(telling["question"])[1]
        assert 3 <= len(passage["qas"]) <= 4
        for question in passage["qas"]:
            own, role = ASKED.search(question["question"]).groups()
            assert facts[mark, role] == answer_of(question)
            assert passage["context"][question["answers"][0]["answer_start"] :].startswith(answer_of(question))
            assert (own == mark) == (question is telling)
            assert question["needs"] == ([] if question is telling else [telling["id"]])


def test_alone_a_hinted_question_has_two_answers_neither_favoured(passages):
    places = Counter()
    for passage in passages:
        for question in passage["qas"]:
            if question["category"] == "hinted":
                role = ASKED.search(question["question"])[2]
                rivals = [name for _, other, name in FACT.findall(passage["context"]) if other == role]
                assert len(set(rivals)) == MARKED
                places[rivals.index(answer_of(question))] += 1
    assert abs(places[0] / places.total() - 0.5) < 0.05


def test_the_telling_question_stands_anywhere(passages):
    places = Counter(
        [question["category"] for question in passage["qas"]].index("independent") / len(passage["qas"]) < 0.5
        for passage in passages
    )
    assert min(places.values()) > 0.3 * places.total()
