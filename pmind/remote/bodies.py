"""What is sent for a prompt: messages for chat completions, one text for text completions."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pmind.errors import ParamsError
from pmind.methods.rounds import Ask, Prompt

LengthField = Literal["max_tokens", "max_completion_tokens"]
OURS = {"model", "messages", "prompt", "max_tokens", "max_completion_tokens", "stop", "temperature", "stream", "n"}


@dataclass(frozen=True)
class Wording:
    """How prompts become request bodies.

    Attributes:
        model: its name at the server.
        chat: messages rather than one text.
        temperature: not sent where it is ``None``.
        length_field: what the server calls the most tokens of an answer.
        extra: further fields of every body.

    Raises:
        ParamsError: EXTRA is not JSON, or holds what is set here.
    """

    model: str
    chat: bool = True
    temperature: float | None = 0
    length_field: LengthField = "max_tokens"
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if taken := OURS & self.extra.keys():
            raise ParamsError(f"extra holds {', '.join(sorted(taken))}, which the engine sets itself; leave it out")
        try:
            json.dumps(dict(self.extra))
        except (TypeError, ValueError) as error:
            raise ParamsError(f"extra cannot be sent as JSON ({error}); give plain values") from error

    def body(self, ask: Ask, prompt: Prompt) -> dict[str, Any]:
        """The body for PROMPT of ASK.

        Example:
            >>> ask = Ask("Livia sings.", (Prompt("Who?"),), max_new_tokens=8)
            >>> Wording("tiny", chat=False).body(ask, ask.prompts[0])
            {'model': 'tiny', 'prompt': 'Livia sings.Who?', 'max_tokens': 8, 'temperature': 0}
        """
        read = {"messages": messages(ask.context, prompt)} if self.chat else {"prompt": ask.context + prompt.flat}
        body = {"model": self.model, **read, self.length_field: ask.max_new_tokens}
        if self.temperature is not None:
            body["temperature"] = self.temperature
        if ask.stop:
            body["stop"] = list(ask.stop)
        return body | dict(self.extra)


def messages(context: str, prompt: Prompt) -> list[dict[str, str]]:
    """The history as turns, then the question; CONTEXT heads the first of the user's messages.

    Example:
        >>> from pmind.tasks.prompts import Exchange
        >>> turns = messages("Livia sings. ", Prompt("Where?", (Exchange(1, "Who sings?", " Livia"),)))
        >>> [(turn["role"], turn["content"]) for turn in turns]
        [('user', 'Livia sings. Who sings?'), ('assistant', 'Livia'), ('user', 'Where?')]
    """
    turns = []
    for entry in prompt.history:
        turns += [{"role": "user", "content": entry.prompt}, {"role": "assistant", "content": entry.answer.strip()}]
    turns.append({"role": "user", "content": prompt.text})
    turns[0]["content"] = context + turns[0]["content"]
    return turns
