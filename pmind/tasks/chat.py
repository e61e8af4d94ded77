"""A tokenizer's chat template, cut into the texts of a prompt template.

The template is rendered around words to find again, and cut there. ChatML, for example::

    context   <|im_start|>user\\n {context} \\n\\n               branch 0, shared
    prompt    {question} <|im_end|>\\n<|im_start|>assistant\\n   one a branch
    answer    {answer}                                        and the stop token <|im_end|>
"""

from collections.abc import Sequence

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

from pmind.errors import DataError, ModelError
from pmind.models.loading import opening_ids
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import QuestionGroup

CONTEXT, QUESTION, ANSWER = "PMINDCONTEXT", "PMINDQUESTION", "PMINDANSWER"  # in no template
BETWEEN = "\n\n"  # passage and question, which both are the user's
FIXED = {
    "enable_thinking": False,  # Qwen3: the answer comes at once
    "date_string": "26 Jul 2024",  # Llama 3's own default; today's date would make another model of it tomorrow
}


def chat_template_for(tokenizer: PreTrainedTokenizerBase, groups: Sequence[QuestionGroup]) -> PromptTemplate:
    """The chat template for groups that all have a passage, shared or one a question, or all have none.

    Raises:
        DataError: some have one and some do not; the head of the user's turn could not be shared.
        ModelError: see :func:`chat_template`.
    """
    with_passage = sum(bool(group.context or group.questions[0].context) for group in groups)
    if 0 < with_passage < len(groups):
        raise DataError(
            f"{with_passage} of {len(groups)} groups have a passage, and a chat template needs all or none. "
            "Split the dataset, or set chat_template to false"
        )
    return chat_template(tokenizer, passages=with_passage > 0)


def chat_template(tokenizer: PreTrainedTokenizerBase, *, passages: bool = True) -> PromptTemplate:
    """A prompt template that reads as the tokenizer's chat template: passage and question in one user turn.

    Args:
        tokenizer: of a chat model.
        passages: the turn's head is branch 0, with the passage; otherwise it heads every branch.

    Raises:
        ModelError: there is no chat template, it cannot be cut, or an answer ends with another
            token than the tokenizer's eos.
    """
    user = {"role": "user", "content": f"{CONTEXT}{BETWEEN}{QUESTION}"}
    asked = _render(tokenizer, [user], add_generation_prompt=True)
    head, asked = _cut(asked, CONTEXT + BETWEEN)
    _, end = _cut(asked, QUESTION)
    answered = _render(tokenizer, [user, {"role": "assistant", "content": ANSWER}])
    lead, closing = _cut(_cut(answered, QUESTION)[1], ANSWER)
    _check_closing(tokenizer, closing)
    head = _escape(head.removeprefix(tokenizer.decode(opening_ids(tokenizer))))  # which heads every context anyway
    blank = lead.removeprefix(end)  # Mistral: an answer begins with a space
    return PromptTemplate(
        context=(head if passages else "") + "{context}" + BETWEEN,
        prompt=("" if passages else head) + "{question}" + _escape(end),
        answer=("" if blank.strip() else blank) + "{answer}",
    )


def _render(tokenizer: PreTrainedTokenizerBase, turns: Sequence[dict[str, str]], **options: bool) -> str:
    if not tokenizer.chat_template:
        raise ModelError("the tokenizer has no chat template. Take a chat model, or set chat_template to false")
    try:
        return tokenizer.apply_chat_template(list(turns), tokenize=False, **FIXED, **options)
    except (TemplateError, ValueError) as error:
        raise ModelError(
            f"the tokenizer's chat template fails on one question and its answer ({error}). Set chat_template to false"
        ) from error


def _cut(text: str, word: str) -> tuple[str, str]:
    if text.count(word) != 1:
        raise ModelError(
            f"the tokenizer's chat template gives what is said {text.count(word)} times, not once as it is. "
            "Set chat_template to false"
        )
    before, _, after = text.partition(word)
    return before, after


def _check_closing(tokenizer: PreTrainedTokenizerBase, closing: str) -> None:
    """Training ends an answer with the eos token, so the template has to as well."""
    ids = tokenizer(closing.lstrip(), add_special_tokens=False)["input_ids"][:1]
    if ids != [tokenizer.eos_token_id]:
        raise ModelError(
            f"the chat template ends an answer with {tokenizer.decode(ids)!r}, but the tokenizer's eos token is "
            f"{tokenizer.eos_token!r}. Name the first as eos_token in tokenizer_config.json, "
            "or set chat_template to false"
        )


def _escape(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
