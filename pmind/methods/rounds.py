"""What a method asks and when: rounds of prompts, each answered before the next is put together.

A method is a coroutine: it yields what it wants answered at the same time and is sent the replies,
until it returns one reply a question. Many groups are thus under way together, whoever answers::

    method  -- asks of round 1 -->  engine (a local model, an API)
            <-- replies ----------
            -- asks of round 2, with earlier answers at hand -->  ...
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol


@dataclass(frozen=True)
class Exchange:
    """An earlier question of the group with its answer.

    Attributes:
        number: place of the question in its group, from 1.
        prompt: as it was asked.
        answer: as it was answered, with whatever the template puts around it.
    """

    number: int
    prompt: str
    answer: str


@dataclass(frozen=True)
class Prompt:
    """One question as a model should read it.

    Attributes:
        text: head of the branch.
        history: what is at hand of earlier questions.
    """

    text: str
    history: tuple[Exchange, ...] = ()

    @property
    def flat(self) -> str:
        """History and question as one text.

        Example:
            >>> print(Prompt("Where was she born?", (Exchange(1, "Who sings?", " Livia"),)).flat)
            1. Who sings? Livia
            Where was she born?
        """
        return "".join(f"{entry.number}. {entry.prompt}{entry.answer}\n" for entry in self.history) + self.text


@dataclass(frozen=True)
class Ask:
    """Prompts about one context that are answered at the same time.

    Attributes:
        context: text that all of them share, may be empty.
        prompts: at least one.
        max_new_tokens: most tokens of each answer.
        stop: texts that end an answer.
    """

    context: str
    prompts: tuple[Prompt, ...]
    max_new_tokens: int
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reply:
    """What a prompt was answered.

    Attributes:
        text: without what ended it.
        finish_reason: ``stop`` or ``length``.
        prompt_tokens: read for it, the context included, whether or not others read that, too.
        new_tokens: generated for it, what ended it included.
        round: in which it was answered, from 1.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    new_tokens: int
    round: int = 1


Rounds = Generator[Sequence[Ask], Sequence[Sequence[Reply]], list[Reply]]


class Engine(Protocol):
    """Who answers: a local model, or a server."""

    def answer(self, asks: Sequence[Ask]) -> list[list[Reply]]:
        """Replies to every prompt of every one of ASKS, in their order."""


def run_rounds(engine: Engine, groups: Sequence[Rounds]) -> list[list[Reply]]:
    """Run all groups to their end, a round of all of them at a time.

    Returns:
        What each group returned.
    """
    done: list[list[Reply]] = [[] for _ in groups]
    asked = _advance(groups, dict.fromkeys(range(len(groups))), done)
    number = 1
    while asked:
        replies = iter(engine.answer([ask for asks in asked.values() for ask in asks]))
        answered = {
            group: [[replace(reply, round=number) for reply in next(replies)] for _ in asks]
            for group, asks in asked.items()
        }
        asked = _advance(groups, answered, done)
        number += 1
    return done


def _advance(groups: Sequence[Rounds], answered: dict, done: list[list[Reply]]) -> dict[int, Sequence[Ask]]:
    """What the groups ask next; those that are at their end put their replies into DONE."""
    asked = {}
    for group, replies in answered.items():
        try:
            asked[group] = groups[group].send(replies)
        except StopIteration as end:
            done[group] = end.value
    return asked
