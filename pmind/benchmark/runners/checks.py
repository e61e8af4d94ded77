"""What an engine refuses before it answers: too large a group."""

from pmind.benchmark.runners.protocol import Setup
from pmind.decoding.branches import GroupRequest
from pmind.errors import DecodingError


def check_room(request: GroupRequest, answer_tokens: int, setup: Setup) -> None:
    """Refuse a group larger than the runner was started for.

    Raises:
        DecodingError: names the size that is exceeded.
    """
    sizes = {
        "context_tokens": (len(request.context), setup.context_tokens),
        "prompt_tokens": (max(map(len, request.prompts)), setup.prompt_tokens),
        "answer_tokens": (answer_tokens, setup.answer_tokens),
        "most_branches": (len(request.prompts), setup.most_branches),
    }
    for name, (wanted, room) in sizes.items():
        if wanted > room:
            raise DecodingError(f"a group needs {name} {wanted} but the runner was started with {room}; start it anew")
