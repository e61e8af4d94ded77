import pytest

from pmind.errors import ParamsError
from pmind.tasks.prompts import PromptTemplate, render_group
from pmind.tasks.records import Question, QuestionGroup

CHOICE = Question("1", "Which {one}?", ("b",), ("a", "b"), (1,))
LETTERED = PromptTemplate(prompt="{question}\n{options}\n:", choice="letter")
GROUP = QuestionGroup("g", "d", "A {brace} passage.", (CHOICE,))


def test_defaults():
    template = PromptTemplate()
    assert template.render_context(GROUP) == "A {brace} passage.\n"
    assert template.render_prompt(CHOICE) == "Which {one}?"
    assert template.render_answer(CHOICE) == template.render_continuation("b") == " b"


def test_an_empty_context_renders_as_nothing():
    assert PromptTemplate().render_context(QuestionGroup("g", "d", "", (CHOICE,))) == ""


def test_options_can_stand_in_the_prompt():
    template = PromptTemplate(prompt="{question}\n{options}\n:")
    assert template.render_prompt(CHOICE) == "Which {one}?\nA. a\nB. b\n:"


def test_a_letter_can_be_the_answer():
    assert LETTERED.render_answer(CHOICE) == " B"
    assert LETTERED.render_options(CHOICE) == [" A", " B"]
    assert PromptTemplate().render_options(CHOICE) == [" a", " b"]
    several = Question("2", "Which?", ("a", "b"), ("a", "b", "c"), (0, 1))
    assert LETTERED.render_answer(several) == " AB"


def test_without_options_there_is_no_letter_to_answer():
    free = Question("2", "Who?", ("Orin", "Orin B."))
    assert LETTERED.render_answer(free) == " Orin"
    assert LETTERED.render_options(free) == []
    assert LETTERED.render_prompt(free) == "Who?\n\n:"


def test_no_answer_renders_as_nothing():
    assert PromptTemplate().render_answer(Question("2", "Who?", ())) == ""


def test_a_questions_own_context_heads_its_prompt():
    template = PromptTemplate(context="Read {context}\n", prompt="Q: {question}")
    own = Question("2", "Who?", ("Orin",), context="A {brace} passage.")
    assert template.render_prompt(own) == "Read A {brace} passage.\nQ: Who?"
    assert template.render_context(QuestionGroup("g", "d", "", (own,))) == ""


def test_a_group_renders_as_its_context_and_questions():
    assert render_group(GROUP, PromptTemplate()) == ["A {brace} passage.\n", "Which {one}? b"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"prompt": "Q:"}, "'prompt': lacks {question}"),
        ({"context": "{contxt}"}, "'context': unknown placeholder 'contxt'. Known: context"),
        ({"answer": "{answer"}, "'answer': .*Write a literal brace twice"),
        ({"answer": "{}{answer}"}, "'answer': unknown placeholder ''"),
        ({"choice": "number"}, "'choice': 'number' is none of text, letter"),
    ],
)
def test_bad_templates_are_refused(texts, message):
    with pytest.raises(ParamsError, match=message):
        PromptTemplate(**texts)
