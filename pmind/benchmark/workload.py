"""The group that is timed: random tokens of given lengths, since speed does not depend on the text."""

from dataclasses import dataclass

import torch

from pmind.decoding.branches import GroupRequest


@dataclass(frozen=True)
class Workload:
    """Lengths in tokens, and what the tokens are drawn from.

    Attributes:
        context_tokens: length of the shared context, may be 0.
        prompt_tokens: length of every prompt.
        answer_tokens: length of every answer; stop tokens do not end one.
        seed: of the random tokens.
    """

    context_tokens: int
    prompt_tokens: int
    answer_tokens: int
    seed: int = 0

    def request(self, branches: int, vocab_size: int) -> GroupRequest:
        """A group of BRANCHES prompts; those of a smaller group are the first ones of a larger.

        Example:
            >>> work = Workload(context_tokens=3, prompt_tokens=2, answer_tokens=1)
            >>> work.request(2, 260).prompts == work.request(5, 260).prompts[:2]
            True
        """
        stream = torch.Generator().manual_seed(self.seed)
        context = _draw(self.context_tokens, vocab_size, stream)
        return GroupRequest(context, tuple(_draw(self.prompt_tokens, vocab_size, stream) for _ in range(branches)))


def _draw(count: int, vocab_size: int, stream: torch.Generator) -> tuple[int, ...]:
    return tuple(torch.randint(vocab_size, (count,), generator=stream).tolist())
