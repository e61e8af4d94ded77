"""How long a group will take: what its critical path costs, beside asking without dependencies.

A round reads the prompts of its questions and then decodes them together, a column for all of them
at a time, so it lasts as long as its longest answer::

    round 1   prefill | column column column column       question 1, question 3
    round 2   prefill | column column                     question 2, with question 1's answer

A column is taken to last as long for many questions as for one, and the context to be read once and
kept, whatever the way of asking. What it takes to find the dependencies comes on top.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx

from pmind.dependencies.edges import Dependencies
from pmind.dependencies.selection import source_cost
from pmind.errors import ParamsError


@dataclass(frozen=True)
class Rates:
    """How fast a model reads and writes here; ``pmind benchmark`` measures both.

    Attributes:
        prefill_tokens_per_s: tokens of prompts read in a second.
        column_s: seconds of a decoding step.
    """

    prefill_tokens_per_s: float
    column_s: float

    def __post_init__(self) -> None:
        if not (self.prefill_tokens_per_s > 0 and self.column_s > 0):
            raise ParamsError(
                f"rates of {self.prefill_tokens_per_s} tokens/s and {self.column_s} s a column; both must be above 0"
            )


@dataclass(frozen=True)
class Work:
    """What a way of asking reads and writes.

    Attributes:
        read_tokens: of context and prompts.
        columns: decoding steps, one after the other.
    """

    read_tokens: int
    columns: int

    def seconds(self, rates: Rates) -> float:
        """Time that it takes.

        Example:
            >>> Work(read_tokens=500, columns=20).seconds(Rates(prefill_tokens_per_s=1000, column_s=0.01))
            0.7
        """
        return self.read_tokens / rates.prefill_tokens_per_s + self.columns * rates.column_s


@dataclass(frozen=True)
class Plan:
    """Three ways of asking a group.

    Attributes:
        in_rounds: as its dependencies want.
        at_once: all questions in one round, nobody knowing another's answer.
        one_by_one: a round for each question, nobody knowing another's answer.
        critical_path: the chain of questions that takes longest to answer; however many answer at
            once, nothing ends before it.
        path_columns: decoding steps of that chain alone.
    """

    in_rounds: Work
    at_once: Work
    one_by_one: Work
    critical_path: tuple[int, ...]
    path_columns: int


@dataclass(frozen=True)
class Latency:
    """Seconds of the three ways of a :class:`Plan`."""

    in_rounds_s: float
    at_once_s: float
    one_by_one_s: float


def plan_work(
    dependencies: Dependencies, prompt_tokens: Sequence[int], answer_tokens: Sequence[int], context_tokens: int = 0
) -> Plan:
    """Tokens and columns of a group.

    Args:
        dependencies: of its questions.
        prompt_tokens: of each question as it is asked, without what it needs from others.
        answer_tokens: expected of each answer.
        context_tokens: read once, whatever the way of asking.

    Raises:
        ParamsError: not one number of tokens for each question.
    """
    _check(dependencies, prompt_tokens, answer_tokens)
    alone = context_tokens + sum(prompt_tokens)
    given = sum(source_cost(prompt_tokens[edge.source], answer_tokens[edge.source]) for edge in dependencies.edges)
    rounds = sum(max(answer_tokens[question] for question in layer) for layer in dependencies.layers())
    path = _critical_path(dependencies, answer_tokens)
    return Plan(
        Work(alone + given, rounds),
        Work(alone, max(answer_tokens, default=0)),
        Work(alone, sum(answer_tokens)),
        path,
        sum(answer_tokens[question] for question in path),
    )


def predict_latency(
    dependencies: Dependencies,
    prompt_tokens: Sequence[int],
    answer_tokens: Sequence[int],
    rates: Rates,
    context_tokens: int = 0,
) -> Latency:
    """Seconds that a group takes; arguments as in :func:`plan_work`.

    Example:
        >>> from pmind.dependencies.edges import Edge
        >>> chain = Dependencies(2, (Edge(0, 1, 0.9),))
        >>> predict_latency(chain, [10, 10], [20, 5], Rates(1000, 0.01))
        Latency(in_rounds_s=0.306, at_once_s=0.22, one_by_one_s=0.27)
    """
    plan = plan_work(dependencies, prompt_tokens, answer_tokens, context_tokens)
    return Latency(*(work.seconds(rates) for work in (plan.in_rounds, plan.at_once, plan.one_by_one)))


def _critical_path(dependencies: Dependencies, answer_tokens: Sequence[int]) -> tuple[int, ...]:
    """The chain with most answer tokens; of equal ones the one with the earlier questions."""
    longest: dict[int, tuple[int, ...]] = {}
    for question in nx.lexicographical_topological_sort(dependencies.graph()):
        chains = [longest[source] for source in dependencies.needed_by(question)]
        longest[question] = (*_slowest(chains, answer_tokens), question)
    return _slowest([longest[question] for question in sorted(longest)], answer_tokens)


def _slowest(chains: Sequence[tuple[int, ...]], answer_tokens: Sequence[int]) -> tuple[int, ...]:
    return max(chains, key=lambda chain: sum(answer_tokens[question] for question in chain), default=())


def _check(dependencies: Dependencies, *tokens: Sequence[int]) -> None:
    for counts in tokens:
        if len(counts) != dependencies.questions or any(count < 0 for count in counts):
            raise ParamsError(f"tokens {list(counts)} of {dependencies.questions} questions; give one count for each")
