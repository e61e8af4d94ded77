"""What is asked in each round and how it is answered, written down while a local model answers a group."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from pmind.decoding.branches import FinishReason
from pmind.decoding.decoder import ParallelDecoder
from pmind.decoding.engine import BranchToken
from pmind.decoding.options import GenerationOptions
from pmind.errors import DecodingError
from pmind.methods.group import GroupPrompts
from pmind.methods.rounds import Ask, Prompt


@dataclass
class Entry:
    """A prompt, and its answer so far.

    Attributes:
        round: in which it is asked, from 1.
        question: index of the question that it asks; ``None`` where it is about all of them.
        prompt: as it is read.
        left_out: numbers of earlier questions that there was no room to tell it of.
        missing_tokens: by how many its answer has to be shorter than it might, for lack of room.
        text: of the answer, without special tokens, cut before a stop text.
        token_ids: of the answer as chosen, a stop token included.
        finish_reason: ``None`` while it is written.
    """

    round: int
    question: int | None
    prompt: Prompt
    left_out: tuple[int, ...] = ()
    missing_tokens: int = 0
    text: str = ""
    token_ids: list[int] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    @property
    def needs(self) -> tuple[int, ...]:
        """Numbers of the earlier questions that it is told of, with their answers."""
        return tuple(exchange.number for exchange in self.prompt.history)

    @property
    def note(self) -> str:
        """Its round and what it is told, if it is of a later round."""
        told = f", told {listed(self.needs)}" if self.needs else ""
        return f"round {self.round}{told}" if self.round > 1 else ""


class Transcript:
    """Listens to a :class:`pmind.methods.local.LocalEngine` that answers one group.

    Args:
        decoder: turns tokens into text.
        group: whose questions are told by their prompts.
        show: is given every entry when it is asked, and again with each token of its answer.

    Attributes:
        entries: in the order in which they were asked.
    """

    def __init__(self, decoder: ParallelDecoder, group: GroupPrompts, show: Callable[[Entry], None]) -> None:
        self.entries: list[Entry] = []
        self._decoder, self._show = decoder, show
        self._questions = {group.prompt(index).text: index for index in range(group.size)}
        self._open: dict[Prompt, tuple[Entry, GenerationOptions]] = {}

    def begin(self, asks: Sequence[Ask], fitted: Sequence[Ask]) -> None:
        """Write down a round.

        Raises:
            DecodingError: a prompt does not fit the model.
        """
        number = self.rounds + 1
        self._open = {}
        for ask, fit in zip(asks, fitted, strict=True):
            if fit.max_new_tokens < 1:
                raise DecodingError(
                    f"a prompt of round {number} does not fit the model's positions beside the context; "
                    "shorten the context, ask fewer questions at once, or use another method"
                )
            for wanted, prompt in zip(ask.prompts, fit.prompts, strict=True):
                left_out = wanted.history[: len(wanted.history) - len(prompt.history)]
                entry = Entry(
                    round=number,
                    question=self._questions.get(prompt.text),
                    prompt=prompt,
                    left_out=tuple(exchange.number for exchange in left_out),
                    missing_tokens=ask.max_new_tokens - fit.max_new_tokens,
                )
                self._open[prompt] = entry, GenerationOptions(stop_strings=fit.stop)
                self.entries.append(entry)
                self._show(entry)

    def write(self, prompt: Prompt, token: BranchToken) -> None:
        """Write down one more token of the answer to a prompt of this round."""
        entry, options = self._open[prompt]
        entry.token_ids.append(token.token_id)
        entry.finish_reason = token.finish_reason
        entry.text = self._decoder.answer(entry.token_ids, token.finish_reason or "length", options).text
        self._show(entry)

    @property
    def rounds(self) -> int:
        """How many there were so far."""
        return self.entries[-1].round if self.entries else 0

    def told(self) -> str:
        """Which questions were asked in which round, told which answers, as one line."""
        rounds = [list(entries) for _, entries in groupby(self.entries, lambda entry: entry.round)]
        parts = [", ".join(self._told(entries)) for entries in rounds]
        return f"{len(parts)} round{'s' if len(parts) > 1 else ''}: {'; then '.join(parts)}"

    def shortcomings(self) -> Iterator[str]:
        """What there was no room for, a sentence each."""
        for entry in self.entries:
            name = self._about_all() if entry.question is None else f"question {entry.question + 1}"
            if entry.left_out:
                yield f"{name}: not told {listed(entry.left_out)}, for which the model has too few positions"
            if entry.missing_tokens and entry.finish_reason == "length":
                yield f"{name}: cut after {len(entry.token_ids)} tokens, the model has no positions for more"

    def _told(self, entries: Sequence[Entry]) -> Iterator[str]:
        untold = [entry.question + 1 for entry in entries if entry.question is not None and not entry.needs]
        if untold:
            yield f"question{'s' if len(untold) > 1 else ''} {listed(untold)}"
        for entry in entries:
            if entry.question is None:
                yield self._about_all()
            elif entry.needs:
                yield f"question {entry.question + 1} told {listed(entry.needs)}"

    def _about_all(self) -> str:
        """What a prompt about all questions is: a method that asks them one by one, too, asks for dependencies."""
        one_by_one = any(entry.question is not None for entry in self.entries)
        return "which question needs which" if one_by_one else "all questions in one prompt"


def listed(numbers: Sequence[int]) -> str:
    """Rising numbers as text, three or more in a row as a span.

    Example:
        >>> listed([1, 2, 3, 5, 6])
        '1–3, 5, 6'
    """
    spans = [[number for _, number in run] for _, run in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{span[0]}–{span[-1]}" if len(span) > 2 else ", ".join(map(str, span)) for span in spans)
