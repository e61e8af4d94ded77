"""Questions of a command line as a group: a context from a file, texts around each question."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pmind.errors import DataError, DecodingError
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup

if TYPE_CHECKING:
    from pmind.decoding.branches import GroupRequest
    from pmind.decoding.decoder import ParallelDecoder
    from pmind.decoding.options import GenerationOptions
    from pmind.methods.group import GroupPrompts


def read_context(name: str | None) -> str:
    """The text of a file, or of standard input for ``-``; empty without a name.

    Raises:
        DataError: it cannot be read, is not UTF-8, or is empty.
    """
    if name is None:
        return ""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"--context-file {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"--context-file {name}: not UTF-8 text (byte {error.start})") from error
    if not text.strip():
        raise DataError(f"--context-file {name}: the file is empty; leave the option out to ask without a context")
    return text


def group_of(
    decoder: "ParallelDecoder",
    context: str,
    questions: list[str],
    prompt_template: str | None,
    options: "GenerationOptions",
) -> "GroupPrompts":
    """Questions about one context, put as the checkpoint was trained to be asked.

    Raises:
        DecodingError: a question is empty, or asked twice.
    """
    from pmind.methods.group import GroupPrompts

    for number, question in enumerate(questions, start=1):
        if not question.strip():
            raise DecodingError(f"question {number} is empty; give every --question a text")
        if question in questions[: number - 1]:
            first = questions.index(question) + 1
            raise DecodingError(f"question {number} is question {first} again; ask it once")
    asked = {"prompt": prompt_template} if prompt_template else {}
    template = PromptTemplate(**{"context": "{context}", **decoder.settings.prompt_template, **asked})
    records = tuple(Question(str(number), text, ()) for number, text in enumerate(questions, start=1))
    group = QuestionGroup("asked", "", context.strip(), records)
    return GroupPrompts(group, template, options.max_new_tokens, options.stop_strings)


def encoded(decoder: "ParallelDecoder", group: "GroupPrompts") -> "GroupRequest":
    """All questions of a group as one request."""
    ask = group.ask(*(group.prompt(index) for index in range(group.size)))
    return decoder.encode_group(ask.context, [prompt.flat for prompt in ask.prompts])
