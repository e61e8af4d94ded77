"""sequential where a server answers: a question is asked when the one before it is answered, without history."""

from pmind.methods.group import GroupPrompts
from pmind.methods.rounds import Reply, Rounds


def one_at_a_time(group: GroupPrompts) -> Rounds:
    """As many rounds as questions; a local model runs them apart in one, see :mod:`pmind.methods.sequential`."""
    replies: list[Reply] = []
    for index in range(group.size):
        ((reply,),) = yield [group.ask(group.prompt(index))]
        replies.append(reply)
    return replies
