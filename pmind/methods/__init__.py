"""Ways of answering a group, by name."""

from pmind.methods import batch, parallel, sequential, sequential_cached
from pmind.methods.method import Method, answer_groups

METHODS: dict[str, Method] = {
    "parallel": parallel,
    "sequential": sequential,
    "sequential_cached": sequential_cached,
    "batch": batch,
}

__all__ = ["METHODS", "Method", "answer_groups"]
