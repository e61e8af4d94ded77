"""What there is room for in a model's positions, and what is scored of an option."""

from dataclasses import replace

from pmind.decoding.texts import Texts
from pmind.errors import ModelError
from pmind.methods.rounds import Ask, Prompt


def fit(ask: Ask, texts: Texts) -> Ask:
    """ASK with what there is room for of history and answers: the oldest history goes first, then answers are shorter.

    Args:
        ask: what is asked.
        texts: of the model.

    Returns:
        The same prompts; ``max_new_tokens`` is below 1 where one of them does not fit at all.
    """
    if texts.positions is None:
        return ask
    room = texts.positions + 1 - texts.context_tokens(ask.context)
    prompts = tuple(_shorten(prompt, room - _longest(ask, prompt, texts), texts) for prompt in ask.prompts)
    longest = max(len(texts.encode(prompt.flat)) for prompt in prompts)
    return replace(ask, prompts=prompts, max_new_tokens=min(ask.max_new_tokens, room - longest))


def option_tokens(texts: Texts, prompt: Prompt) -> list[tuple[int, ...]]:
    """What is scored for each of a prompt's options.

    Raises:
        ModelError: the tokenizer has no stop token, which ends an option's text.
    """
    if not (prompt.options and prompt.closed):
        return [texts.encode(text) for text in prompt.options]
    stop = texts.tokenizer.eos_token_id
    if stop is None:
        raise ModelError("the tokenizer has no eos token, which ends every option's text. Use one that has")
    return [(*texts.encode(text), stop) for text in prompt.options]


def _longest(ask: Ask, prompt: Prompt, texts: Texts) -> int:
    """Tokens of PROMPT's longest possible answer or option."""
    return max(ask.max_new_tokens, *map(len, option_tokens(texts, prompt)), 0)


def _shorten(prompt: Prompt, most: int, texts: Texts) -> Prompt:
    """PROMPT in MOST tokens, if that can be had by leaving out its oldest history."""
    while prompt.history and len(texts.encode(prompt.flat)) > most:
        prompt = replace(prompt, history=prompt.history[1:])
    return prompt
