import pytest

from pmind.errors import ParamsError
from pmind.tasks.prompts import PromptTemplate, render_group
from pmind.tasks.records import Question, QuestionGroup

CHOICE = Question("1", "Which {one}?", ("b",), ("a", "b"), 1)
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


def test_a_group_renders_as_its_context_and_questions():
    assert render_group(GROUP, PromptTemplate()) == ["A {brace} passage.\n", "Which {one}? b"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"prompt": "Q:"}, "'prompt': lacks {question}"),
        ({"context": "{contxt}"}, "'context': unknown placeholder 'contxt'. Known: context"),
        ({"answer": "{answer"}, "'answer': .*Write a literal brace twice"),
        ({"answer": "{}{answer}"}, "'answer': unknown placeholder ''"),
    ],
)
def test_bad_templates_are_refused(texts, message):
    with pytest.raises(ParamsError, match=message):
        PromptTemplate(**texts)
