"""Groups of random tokens, and the shapes that property tests draw them in."""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st

from pmind.decoding.branches import GroupRequest
from pmind.geometry import Alignment, Layout, build_layout
from tests.tiny import VOCAB

TokenIds = tuple[int, ...]


@dataclass(frozen=True)
class Group:
    """A context with prompts and answers, as token ids."""

    context: TokenIds
    prompts: tuple[TokenIds, ...]
    answers: tuple[TokenIds, ...]

    @property
    def request(self) -> GroupRequest:
        """What the engine takes."""
        return GroupRequest(self.context, self.prompts)

    def layout(self, alignment: Alignment, numbers: tuple[int, ...] | None = None) -> Layout:
        """The finished group."""
        return build_layout(self.context, self.prompts, self.answers, alignment=alignment, numbers=numbers)

    def alone(self, branch: int) -> list[int]:
        """What a stock model reads to answer one question: context, prompt, answer."""
        return [*self.context, *self.prompts[branch], *self.answers[branch]]


def random_group(context: int, prompts: list[int], answers: list[int] | None = None, seed: int = 0) -> Group:
    """A group of the given lengths; answers of 3 tokens unless told."""
    answers = [3] * len(prompts) if answers is None else answers
    generator = torch.Generator().manual_seed(seed)

    def tokens(length: int) -> TokenIds:
        return tuple(torch.randint(1, VOCAB, (length,), generator=generator).tolist())

    return Group(tokens(context), tuple(map(tokens, prompts)), tuple(map(tokens, answers)))


@st.composite
def any_group(draw: st.DrawFn) -> Group:
    """Ordinary groups and the odd ones: no context, one branch, 64, one-token prompts, one giant."""
    context, prompts = draw(
        st.one_of(
            st.tuples(st.integers(0, 20), st.lists(st.integers(1, 8), min_size=1, max_size=6)),
            st.tuples(st.just(0), st.lists(st.integers(1, 5), min_size=2, max_size=4)),
            st.tuples(st.integers(0, 12), st.just([5])),
            st.tuples(st.integers(0, 6), st.lists(st.integers(1, 3), min_size=64, max_size=64)),
            st.tuples(st.integers(1, 10), st.integers(1, 8).map(lambda count: [1] * count)),
            st.tuples(st.integers(0, 3), st.just([1, 60, 2, 1])),
        )
    )
    answers = draw(st.lists(st.integers(0, 4), min_size=len(prompts), max_size=len(prompts)))
    return random_group(context, prompts, answers, seed=draw(st.integers(0, 99)))


SHAPES = {  # the odd ones by name, for tests that go through them one by one
    "ordinary": random_group(8, [4, 3, 2]),
    "empty_context": random_group(0, [3, 1, 4], seed=1),
    "one_branch": random_group(7, [4], seed=2),
    "64_branches": random_group(5, [1 + i % 3 for i in range(64)], seed=3),
    "one_token_prompts": random_group(6, [1, 1, 1, 1], seed=4),
    "wildly_unequal": random_group(2, [1, 60, 2, 1], [2, 1, 20, 3], seed=5),
}
