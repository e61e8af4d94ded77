"""A method: what is asked when, and how a local model runs what is asked at one time."""

from collections.abc import Callable
from dataclasses import dataclass

from pmind.methods.group import GroupPrompts
from pmind.methods.passes import Passes
from pmind.methods.rounds import Rounds

Asking = Callable[[GroupPrompts], Rounds]


@dataclass(frozen=True)
class Method:
    """A way of answering a group.

    Attributes:
        rounds: asks a group, round after round.
        passes: how a local model runs the prompts of one ask.
        remote: asks a group where a server answers; ``None`` where none can answer like this.
        needs_answers: whether later rounds read earlier answers, so that a group takes several.
    """

    rounds: Asking
    passes: Passes
    remote: Asking | None = None
    needs_answers: bool = False
