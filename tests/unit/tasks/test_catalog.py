import re
from typing import get_args

import pytest

from pmind.corpora.sources import HUB_ID
from pmind.errors import DataError
from pmind.tasks.catalog import DATASETS, find_dataset
from pmind.tasks.dataset import Grouping, Language, Scoring
from pmind.tasks.records import Question, QuestionGroup

TEXT, PASSAGE = "Which {one} is it?", "A {brace} passage."
OPTIONS = ("red", "blue", "green", "black")
each_dataset = pytest.mark.parametrize("name", DATASETS)


def question_of(dataset):
    """A question as the dataset has them."""
    if dataset.scoring in ("choice", "multirc"):
        return Question("q", TEXT, (OPTIONS[1],), OPTIONS, (1,))
    return Question("q", TEXT, ("42",))


@each_dataset
def test_a_name_can_be_typed_and_is_found(name):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert find_dataset(name) is DATASETS[name]


@each_dataset
def test_choices_are_known_ones(name):
    dataset = DATASETS[name]
    assert dataset.language in get_args(Language)
    assert dataset.scoring in get_args(Scoring)
    assert dataset.grouping in get_args(Grouping)


@each_dataset
def test_the_line_about_it_is_one_line_of_its_own(name):
    about = DATASETS[name].about
    assert 20 <= len(about) <= 110
    assert "\n" not in about
    assert [other for other, dataset in DATASETS.items() if dataset.about == about] == [name]


@each_dataset
def test_the_template_asks_the_question(name):
    dataset = DATASETS[name]
    question, template = question_of(dataset), dataset.template
    prompt = template.render_prompt(question)
    assert TEXT in prompt
    assert PASSAGE in template.render_context(QuestionGroup("g", "d", PASSAGE, (question,)))
    assert template.render_answer(question).strip()
    if question.options and template.choice == "letter":
        assert template.render_answer(question).strip() == "B"
        assert all(f"{letter}. {option}" in prompt for letter, option in zip("ABCD", OPTIONS, strict=True))


@each_dataset
def test_a_blank_between_prompt_and_answer_is_the_answers(name):
    """They are tokenised apart, and a blank at a prompt's end is a token that text does not have there."""
    dataset = DATASETS[name]
    prompt = dataset.template.render_prompt(question_of(dataset))
    answer = dataset.template.render_answer(question_of(dataset))
    assert not prompt.endswith(" ")
    assert not answer.startswith("  ")


@each_dataset
def test_the_hub_id_is_one(name):
    assert DATASETS[name].hub == "" or HUB_ID.fullmatch(DATASETS[name].hub)


@each_dataset
def test_answers_have_room_and_an_end(name):
    dataset = DATASETS[name]
    assert 1 <= dataset.max_new_tokens <= 1024
    assert dataset.stop
    assert all(dataset.stop)  # an empty text is in every answer
    assert not any(stop in dataset.template.render_answer(question_of(dataset)) for stop in dataset.stop)


@each_dataset
def test_file_patterns_are_names(name):
    assert DATASETS[name].files
    assert all(pattern and not pattern.startswith("/") for pattern in DATASETS[name].files)


@pytest.mark.parametrize(("name", "hint"), [("rase", r"did you mean 'race'\?"), ("qqq", "Known: squad, xquad, ")])
def test_an_unknown_name_gets_a_hint(name, hint):
    with pytest.raises(DataError, match=f"unknown dataset '{name}'; {hint}"):
        find_dataset(name)
