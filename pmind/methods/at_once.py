"""Every question at the same time, none with another's answer at hand."""

from pmind.methods.group import GroupPrompts
from pmind.methods.rounds import Rounds


def at_once(group: GroupPrompts) -> Rounds:
    """One round of all questions."""
    (replies,) = yield [group.ask(*(group.prompt(index) for index in range(group.size)))]
    return list(replies)
