"""multi_turn: one question a turn, with all earlier ones and their answers at hand."""

from pmind.methods.group import GroupPrompts
from pmind.methods.rounds import Reply, Rounds
from pmind.tasks.prompts import Exchange


def multi_turn(group: GroupPrompts) -> Rounds:
    """As many rounds as questions, in their order."""
    history: tuple[Exchange, ...] = ()
    replies: list[Reply] = []
    for index in range(group.size):
        ((reply,),) = yield [group.ask(group.prompt(index, history))]
        replies.append(reply)
        history = (*history, group.exchange(index, reply.text))
    return replies
