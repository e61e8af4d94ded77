"""Ways of answering a group, by name."""

from pmind.methods import batch, parallel, sequential, sequential_cached
from pmind.methods.all_in_one import all_in_one
from pmind.methods.at_once import at_once
from pmind.methods.method import Method
from pmind.methods.multi_turn import multi_turn
from pmind.methods.passes import Passes, answer_groups

PASSES: dict[str, Passes] = {
    "parallel": parallel,
    "sequential": sequential,
    "sequential_cached": sequential_cached,
    "batch": batch,
}
METHODS: dict[str, Method] = {name: Method(at_once, passes) for name, passes in PASSES.items()} | {
    "multi_turn": Method(multi_turn, sequential_cached, needs_answers=True),
    "all_in_one": Method(all_in_one, sequential),
}

__all__ = ["METHODS", "PASSES", "Method", "Passes", "answer_groups"]
