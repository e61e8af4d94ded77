"""Ways of answering a group, by name."""

from pmind.methods import batch, parallel, sequential
from pmind.methods.method import Method, answer_groups

METHODS: dict[str, Method] = {"parallel": parallel, "sequential": sequential, "batch": batch}

__all__ = ["METHODS", "Method", "answer_groups"]
