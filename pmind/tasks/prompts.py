"""What a model reads and writes for a question: three short texts around the data."""

from dataclasses import dataclass
from string import Formatter
from typing import Literal, get_args

from pmind.errors import ParamsError
from pmind.tasks.records import LETTERS, Question, QuestionGroup

PLACEHOLDERS = {"context": {"context"}, "prompt": {"question", "options"}, "answer": {"answer"}}
REQUIRED = {"context": "context", "prompt": "question", "answer": "answer"}
Choice = Literal["text", "letter"]


@dataclass(frozen=True)
class Exchange:
    """An earlier question of a group with its answer.

    Attributes:
        number: place of the question in its group, from 1.
        prompt: as it was asked, without a passage of its own.
        answer: as it was answered, with whatever the template puts around it.
    """

    number: int
    prompt: str
    answer: str

    @property
    def line(self) -> str:
        """How it stands in the prompt of a later question.

        Example:
            >>> Exchange(1, "Who sings?", " Livia").line
            '1. Who sings? Livia\\n'
        """
        return f"{self.number}. {self.prompt}{self.answer}\n"


@dataclass(frozen=True)
class PromptTemplate:
    """Texts with ``{context}``, ``{question}``, ``{options}`` and ``{answer}`` to fill in.

    The defaults serve English and Chinese, reading and multiple choice: an option is scored by
    the likelihood of its text, so options need not stand in the prompt.

    Attributes:
        context: branch 0, or what heads the prompt of a question with its own context; may use ``{context}``.
        prompt: head of a question's branch; may use ``{question}`` and ``{options}``.
        answer: what follows the prompt; may use ``{answer}``.
        choice: whether a question with options is answered by the option's text or by its letter.

    Example:
        >>> question = Question("1", "Who lives here?", ("Orin",))
        >>> template = PromptTemplate()
        >>> template.render_prompt(question) + template.render_answer(question)
        'Who lives here? Orin'
    """

    context: str = "{context}\n"
    prompt: str = "{question}"
    answer: str = " {answer}"
    choice: Choice = "text"

    def __post_init__(self) -> None:
        for name in PLACEHOLDERS:
            _check(name, getattr(self, name))
        if self.choice not in get_args(Choice):
            raise ParamsError(f"prompt template 'choice': '{self.choice}' is none of {', '.join(get_args(Choice))}")

    def render_context(self, group: QuestionGroup) -> str:
        """Text of branch 0; empty when the group has no context."""
        return self.context.format(context=group.context) if group.context else ""

    def render_prompt(self, question: Question) -> str:
        """Text that heads the question's branch, its own context first if it has one."""
        context = self.context.format(context=question.context) if question.context else ""
        return context + self.render_question(question)

    def render_question(self, question: Question) -> str:
        """The same without that context."""
        return self.prompt.format(question=question.text, options=question.lettered)

    def render_answer(self, question: Question) -> str:
        """Training target: the first accepted answer; nothing where there is none."""
        if question.options and self.choice == "letter":
            return self.render_continuation(question.letters)
        return self.render_continuation(question.answers[0]) if question.answers else ""

    def render_options(self, question: Question) -> list[str]:
        """What each option would look like as the answer."""
        letters = self.choice == "letter"
        return [self.render_continuation(LETTERS[i] if letters else text) for i, text in enumerate(question.options)]

    def render_continuation(self, answer: str) -> str:
        """Any text in the answer's place."""
        return self.answer.format(answer=answer)


def render_group(group: QuestionGroup, template: PromptTemplate) -> list[str]:
    """Every text of a group as a model meets it; a tokenizer learns from these."""
    questions = (template.render_prompt(question) + template.render_answer(question) for question in group.questions)
    return [template.render_context(group), *questions]


def _check(name: str, text: str) -> None:
    try:
        used = {placeholder for _, placeholder, _, _ in Formatter().parse(text) if placeholder is not None}
    except ValueError as error:
        raise ParamsError(f"prompt template '{name}': {error}. Write a literal brace twice") from error
    unknown = sorted(used - PLACEHOLDERS[name])
    if unknown:
        known = ", ".join(sorted(PLACEHOLDERS[name]))
        raise ParamsError(f"prompt template '{name}': unknown placeholder '{unknown[0]}'. Known: {known}")
    if REQUIRED[name] not in used:
        raise ParamsError(f"prompt template '{name}': lacks {{{REQUIRED[name]}}}")
