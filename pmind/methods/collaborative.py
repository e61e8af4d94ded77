"""collab_*: questions are answered in the order of their dependencies, with the answers they need at hand.

What depends on what is proposed in one of three ways and chosen by what it is worth, see
:mod:`pmind.dependencies`; each layer of the graph is then one round::

    1. Who is the painter?    2. Which lake floods?    4. Who sings?      round 1
              |
    3. Where was the person from question 1 born?                         round 2, with question 1 and its answer
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from pmind.dependencies.edges import Edge
from pmind.dependencies.encoder import THRESHOLD, Encoder, Summary, propose_by_attention
from pmind.dependencies.heuristic import propose_by_words
from pmind.dependencies.proposals import parse_proposal, proposal_prompt
from pmind.dependencies.selection import SelectionRules, select_edges, source_cost
from pmind.methods.group import GroupPrompts, estimate_tokens
from pmind.methods.rounds import Ask, Prompt, Replies, Reply, Rounds

PROPOSAL_TOKENS = 40  # of a model's proposal, for each question
ANSWER_TOKENS = 16  # that an answer is reckoned to add to a prompt, if it may be as long


@dataclass(frozen=True)
class Proposed:
    """Candidate edges, and what was asked to get them."""

    edges: Sequence[Edge]
    replies: tuple[Reply, ...] = ()


Proposal = Generator[Sequence[Ask], Replies, Proposed]
Propose = Callable[[GroupPrompts], Proposal]


@dataclass(frozen=True)
class Collaboration:
    """How dependencies are found and chosen.

    Attributes:
        rules: what an edge has to be worth.
        encoder: reads the questions, for ``collab_bert``.
        threshold: least confidence of an edge that the encoder's attention proposes.
        summary: of its layers and heads.
    """

    rules: SelectionRules = field(default_factory=SelectionRules)
    encoder: Encoder | None = None
    threshold: float = THRESHOLD
    summary: Summary = "mean"


def collaborate(propose: Propose, rules: SelectionRules) -> Callable[[GroupPrompts], Rounds]:
    """Rounds by the layers of the dependencies that PROPOSE finds and RULES choose."""
    return partial(_rounds, propose=propose, rules=rules)


def by_words(group: GroupPrompts) -> Proposal:
    """collab_heuristic: keywords and reference words."""
    yield from ()
    return Proposed(propose_by_words(_texts(group)))


def by_attention(group: GroupPrompts, encoder: Encoder, threshold: float, summary: Summary) -> Proposal:
    """collab_bert: an encoder's attention between questions."""
    yield from ()
    return Proposed(propose_by_attention(encoder, _texts(group), threshold=threshold, summary=summary))


def by_model(group: GroupPrompts) -> Proposal:
    """collab_llm: the answering model is asked which question needs which."""
    if group.size == 1:
        return Proposed(())
    prompt = Prompt(proposal_prompt(_texts(group)))
    ask = replace(group.ask(prompt), max_new_tokens=PROPOSAL_TOKENS * group.size, stop=())
    ((reply,),) = yield [ask]
    return Proposed(parse_proposal(reply.text, group.size).edges, (reply,))


def _rounds(group: GroupPrompts, propose: Propose, rules: SelectionRules) -> Rounds:
    proposed = yield from propose(group)
    chosen = select_edges(proposed.edges, _costs(group), rules)
    replies: dict[int, Reply] = {}
    for layer in chosen.layers():
        prompts = [
            group.prompt(
                index, tuple(group.exchange(source, replies[source].text) for source in chosen.needed_by(index))
            )
            for index in layer
        ]
        (found,) = yield [group.ask(*prompts)]
        replies |= zip(layer, found, strict=True)
    return _charged([replies[index] for index in range(group.size)], proposed.replies)


def _texts(group: GroupPrompts) -> list[str]:
    return [question.text for question in group.group.questions]


def _costs(group: GroupPrompts) -> list[int]:
    answer = min(group.max_new_tokens, ANSWER_TOKENS)
    return [source_cost(estimate_tokens(group.bare(index)), answer) for index in range(group.size)]


def _charged(replies: list[Reply], extra: Sequence[Reply]) -> list[Reply]:
    """REPLIES, the first of them on whose account EXTRA was asked, too."""
    more = {name: sum(getattr(reply, name) for reply in extra) for name in ("prompt_tokens", "new_tokens")}
    first = replace(replies[0], **{name: getattr(replies[0], name) + count for name, count in more.items()})
    return [first, *replies[1:]]
