"""What a group asks for, and where each of its branches stands while it is decoded."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch

from pmind.decoding.options import GenerationOptions
from pmind.decoding.sampling import branch_generator
from pmind.errors import DecodingError, LayoutError
from pmind.geometry import branch_starts
from pmind.models.settings import Settings

if TYPE_CHECKING:
    from pmind.decoding.cache import Context

FinishReason = Literal["stop", "length"]
StopTest = Callable[[Sequence[int]], bool]


@dataclass(frozen=True)
class GroupRequest:
    """One group to decode, as token ids.

    Attributes:
        context: the shared context, may be empty.
        prompts: one a branch, none empty.
        numbers: branch numbers; 1 … N when empty.
        read: the context's keys and values where it was read before.

    Raises:
        LayoutError: no prompt, an empty one, not as many numbers as prompts, or another context was read.
    """

    context: tuple[int, ...]
    prompts: tuple[tuple[int, ...], ...]
    numbers: tuple[int, ...] = ()
    read: "Context | None" = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.prompts:
            raise LayoutError("a group needs at least one question")
        object.__setattr__(self, "numbers", self.numbers or tuple(range(1, len(self.prompts) + 1)))
        if len(self.numbers) != len(self.prompts):
            raise LayoutError(f"{len(self.prompts)} prompts but {len(self.numbers)} numbers; pass one for each prompt")
        for number, prompt in zip(self.numbers, self.prompts, strict=True):
            if not prompt:
                raise LayoutError(f"branch {number} has 0 tokens; a question needs at least one")
        if self.read is not None and self.read.token_ids != self.context:
            raise LayoutError("the group's context is not the one that was read; read it again with prefill()")

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all prompts."""
        return sum(len(prompt) for prompt in self.prompts)


@dataclass
class Branch:
    """One branch while it is decoded.

    Attributes:
        number: its place on the branch axis.
        column: where its next token goes.
        history: context, prompt and answer so far, for penalties.
        answer: tokens chosen so far, the stop token included.
        finish_reason: ``None`` while it is live.
    """

    number: int
    column: int
    history: list[int]
    stream: torch.Generator
    answer: list[int] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    def take(self, token: int, options: GenerationOptions, stops: StopTest) -> None:
        """Add a chosen token and notice the end."""
        self.answer.append(token)
        self.history.append(token)
        if stops(self.answer):
            self.finish_reason = "stop"
        elif len(self.answer) == options.max_new_tokens:
            self.finish_reason = "length"

    @property
    def live(self) -> bool:
        """Whether another token is wanted."""
        return self.finish_reason is None


def start_branches(request: GroupRequest, settings: Settings, options: GenerationOptions) -> list[Branch]:
    """Branches of REQUEST before their first answer token."""
    starts = branch_starts(len(request.context), [len(prompt) for prompt in request.prompts], settings.alignment)
    return [
        Branch(number, answer_start, [*request.context, *prompt], branch_generator(options.seed, prompt))
        for number, prompt, (_, answer_start) in zip(request.numbers, request.prompts, starts, strict=True)
    ]


def check_fits(request: GroupRequest, new_tokens: int, settings: Settings, positions: int | None) -> None:
    """Refuse a group whose columns go beyond the positions a model has.

    Raises:
        DecodingError: names the columns needed and the way out.
    """
    if positions is None:
        return
    context, longest = len(request.context), max(len(prompt) for prompt in request.prompts)
    if context + longest > positions:
        raise DecodingError(
            f"context and longest prompt take {context} + {longest} tokens but the model has {positions} positions; "
            "shorten the context or the question"
        )
    if context + longest + new_tokens - 1 > positions:
        raise DecodingError(
            f"context, prompt and answer take up to {context} + {longest} + {new_tokens} tokens but the model has "
            f"{positions} positions; allow answers of {positions + 1 - context - longest} tokens or less "
            "(max_new_tokens)"
        )
