"""A method: what is asked when, and how a local model runs what is asked at one time."""

from collections.abc import Callable
from dataclasses import dataclass

from pmind.methods.group import GroupPrompts
from pmind.methods.passes import Passes
from pmind.methods.rounds import Rounds


@dataclass(frozen=True)
class Method:
    """A way of answering a group.

    Attributes:
        rounds: asks a group, round after round.
        passes: how a local model runs the prompts of one ask; a server runs them as it likes.
        needs_answers: whether later rounds read earlier answers, so that a group takes several.
    """

    rounds: Callable[[GroupPrompts], Rounds]
    passes: Passes
    needs_answers: bool = False
