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

from pmind.tasks.prompts import Exchange


@dataclass(frozen=True)
class Prompt:
    """One question as a model should read it.

    Attributes:
        text: head of the branch.
        history: what is at hand of earlier questions.
        options: texts that could follow, to be scored beside the answer.
        closed: the stop token counts as part of an option: else one that another begins with
            ("aspirin", "aspirin 100 mg") could never score below it.
    """

    text: str
    history: tuple[Exchange, ...] = ()
    options: tuple[str, ...] = ()
    closed: bool = True

    @property
    def flat(self) -> str:
        """History and question as one text.

        Example:
            >>> print(Prompt("Where was she born?", (Exchange(1, "Who sings?", " Livia"),)).flat)
            1. Who sings? Livia
            Where was she born?
        """
        return "".join(entry.line for entry in self.history) + self.text


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
        finish_reason: ``stop`` or ``length``; ``missing`` where a reply to several questions leaves one out;
            ``no room`` where the prompt does not fit the model.
        prompt_tokens: read on its account; what several prompts read together is on the first one's.
        new_tokens: generated, what ended it included.
        token_ids: those, without the stop token; none where the engine does not tell.
        branch: its number in the layout.
        first_column: of the answer in the layout.
        option_scores: log-likelihood in nats of each of the prompt's options; none where nobody can tell.
        first_token_s: when the answer began, from the start of its pass in the group's first round.
        total_s: when it ended.
        round: in which it was answered, from 1.
    """

    text: str
    finish_reason: str
    prompt_tokens: int
    new_tokens: int
    token_ids: tuple[int, ...] = ()
    branch: int = 1
    first_column: int = 0
    option_scores: tuple[float, ...] = ()
    first_token_s: float = 0.0
    total_s: float = 0.0
    round: int = 1


Replies = Sequence[Sequence[Reply]]  # a list for every ask
Rounds = Generator[Sequence[Ask], Replies, list[Reply]]


class Engine(Protocol):
    """Who answers: a local model, or a server."""

    def answer(self, asks: Sequence[Ask]) -> Replies:
        """Replies to every prompt of every one of ASKS, in their order."""


def run_rounds(engine: Engine, groups: Sequence[Rounds]) -> list[list[Reply]]:
    """Run all groups to their end, a round of all of them at a time.

    A reply's times count from the start of its group's first round, without what other groups took.

    Returns:
        What each group returned.
    """
    results: list[list[Reply]] = [[] for _ in groups]
    waiting = {place: _Waiting(group) for place, group in enumerate(groups)}
    while True:
        for place, group in list(waiting.items()):
            if group.advance():
                continue
            results[place] = waiting.pop(place).result
        if not waiting:
            return results
        replies = iter(engine.answer([ask for group in waiting.values() for ask in group.asks]))
        for group in waiting.values():
            group.take([next(replies) for _ in group.asks])


class _Waiting:
    """A group under way: what it asks, and what it was answered."""

    def __init__(self, rounds: Rounds) -> None:
        self.asks: Sequence[Ask] = ()
        self.result: list[Reply] = []
        self._rounds, self._replies = rounds, None
        self._number, self._elapsed = 0, 0.0

    def advance(self) -> bool:
        """Put the next round together; false where there is none, and the result is known."""
        try:
            self.asks = self._rounds.send(self._replies)
        except StopIteration as end:
            self.result = end.value
            return False
        self._number += 1
        return True

    def take(self, replies: Replies) -> None:
        self._replies = [[self._placed(reply) for reply in part] for part in replies]
        self._elapsed = max((reply.total_s for part in self._replies for reply in part), default=self._elapsed)

    def _placed(self, reply: Reply) -> Reply:
        return replace(
            reply,
            round=self._number,
            first_token_s=reply.first_token_s + self._elapsed,
            total_s=reply.total_s + self._elapsed,
        )
