"""What a model reads and writes for a question: three short texts around the data."""

from dataclasses import dataclass, fields
from string import Formatter

from pmind.errors import ParamsError
from pmind.tasks.records import LETTERS, Question, QuestionGroup

PLACEHOLDERS = {"context": {"context"}, "prompt": {"question", "options"}, "answer": {"answer"}}
REQUIRED = {"context": "context", "prompt": "question", "answer": "answer"}


@dataclass(frozen=True)
class PromptTemplate:
    """Texts with ``{context}``, ``{question}``, ``{options}`` and ``{answer}`` to fill in.

    The defaults serve English and Chinese, reading and multiple choice: an option is scored by
    the likelihood of its text, so options need not stand in the prompt.

    Attributes:
        context: branch 0; may use ``{context}``.
        prompt: head of a question's branch; may use ``{question}`` and ``{options}``.
        answer: what follows the prompt; may use ``{answer}``.

    Example:
        >>> question = Question("1", "Who lives here?", ("Orin",))
        >>> template = PromptTemplate()
        >>> template.render_prompt(question) + template.render_answer(question)
        'Who lives here? Orin'
    """

    context: str = "{context}\n"
    prompt: str = "{question}"
    answer: str = " {answer}"

    def __post_init__(self) -> None:
        for entry in fields(self):
            _check(entry.name, getattr(self, entry.name))

    def render_context(self, group: QuestionGroup) -> str:
        """Text of branch 0; empty when the group has no context."""
        return self.context.format(context=group.context) if group.context else ""

    def render_prompt(self, question: Question) -> str:
        """Text that heads the question's branch."""
        options = "\n".join(f"{letter}. {option}" for letter, option in zip(LETTERS, question.options, strict=False))
        return self.prompt.format(question=question.text, options=options)

    def render_answer(self, question: Question) -> str:
        """Training target: the first accepted answer."""
        return self.render_continuation(question.answers[0])

    def render_continuation(self, answer: str) -> str:
        """Any text in the answer's place, such as an option to score."""
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
