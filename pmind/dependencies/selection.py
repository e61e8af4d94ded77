"""Which candidates become edges: an edge has to be worth the tokens that it puts into a prompt.

An answer that a question needs is put before it, question and all, so an edge costs what its source
costs. The rules and their values are those of a public predecessor, parallel-agent; it later
ignored the confidences and took candidates as they came.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx

from pmind.dependencies.edges import Dependencies, Edge, strongest
from pmind.errors import ParamsError

WRAPPING = 6  # tokens around an earlier question and its answer: number, marks, line break


@dataclass(frozen=True)
class SelectionRules:
    """What an edge has to be worth.

    Attributes:
        min_confidence: candidates below it are dropped.
        token_cost: confidence that a token costs; an edge must be worth more than all its tokens.
        max_sources: most answers that a question gets.
        budget_tokens: most tokens that all edges of a group may cost together; 0 for no limit.
    """

    min_confidence: float = 0.35
    token_cost: float = 0.01
    max_sources: int = 3
    budget_tokens: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            raise ParamsError(f"min_confidence must be between 0 and 1, not {self.min_confidence}")
        for name in ("token_cost", "max_sources", "budget_tokens"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ParamsError(f"{name} must be a number of at least 0, not {getattr(self, name)}")


@dataclass(frozen=True)
class Verdict:
    """What became of a candidate.

    Attributes:
        edge: the candidate.
        cost_tokens: tokens that it would add to its target's prompt.
        score: its confidence less what these cost.
        rejected: why it is no edge; empty for one that is.
    """

    edge: Edge
    cost_tokens: int
    score: float
    rejected: str = ""


def source_cost(question_tokens: int, answer_tokens: int) -> int:
    """Tokens that a question and its answer take in the prompt of another.

    Example:
        >>> source_cost(question_tokens=12, answer_tokens=16)
        34
    """
    return question_tokens + answer_tokens + WRAPPING


def select_edges(candidates: Sequence[Edge], costs: Sequence[int], rules: SelectionRules | None = None) -> Dependencies:
    """Choose the edges that are worth their tokens, best first, never closing a cycle.

    Args:
        candidates: in any order; of several with one source and target the most confident counts.
            An edge may point either way: a question may need a later one's answer.
        costs: of each question, what it adds to a prompt as a source, see :func:`source_cost`.
        rules: what an edge has to be worth; the defaults where left out.

    Raises:
        ParamsError: a candidate leaves the group, or a cost is negative.

    Example:
        >>> found = [Edge(0, 1, 0.9), Edge(1, 0, 0.8), Edge(0, 2, 0.4)]
        >>> [edge.ends for edge in select_edges(found, costs=[30, 30, 50]).edges]
        [(0, 1), (0, 2)]
    """
    verdicts = weigh_edges(candidates, costs, rules)
    return Dependencies(len(costs), tuple(verdict.edge for verdict in verdicts if not verdict.rejected))


def weigh_edges(candidates: Sequence[Edge], costs: Sequence[int], rules: SelectionRules | None = None) -> list[Verdict]:
    """What :func:`select_edges` makes of every candidate, best first.

    Among equal scores, the more confident one comes first, then the one with the earlier target,
    then with the earlier source; the order of CANDIDATES changes nothing.
    """
    rules = rules or SelectionRules()
    _check(candidates, costs)
    chosen = _Chosen(len(costs), rules)
    verdicts = []
    for edge in sorted(strongest(candidates), key=lambda edge: _rank(edge, costs, rules)):
        cost, score = costs[edge.source], _score(edge, costs, rules)
        rejected = _worthless(edge, score, rules) or chosen.take(edge, cost)
        verdicts.append(Verdict(edge, cost, score, rejected))
    return verdicts


class _Chosen:
    """The edges so far, and what speaks against one more."""

    def __init__(self, questions: int, rules: SelectionRules) -> None:
        self._graph = nx.DiGraph()
        self._graph.add_nodes_from(range(questions))
        self._rules = rules
        self._spent = 0

    def take(self, edge: Edge, cost: int) -> str:
        """Add EDGE, or say why not."""
        budget = self._rules.budget_tokens
        if self._graph.in_degree(edge.target) >= self._rules.max_sources:
            return "its question has as many sources as it may"
        if budget and self._spent + cost > budget:
            return f"{budget - self._spent} tokens of the budget are left"
        if nx.has_path(self._graph, edge.target, edge.source):
            return "it would close a cycle"
        self._graph.add_edge(*edge.ends)
        self._spent += cost
        return ""


def _worthless(edge: Edge, score: float, rules: SelectionRules) -> str:
    if edge.confidence < rules.min_confidence:
        return f"confidence below {rules.min_confidence:g}"
    return "" if score > 0 else "not worth its tokens"


def _score(edge: Edge, costs: Sequence[int], rules: SelectionRules) -> float:
    return edge.confidence - rules.token_cost * costs[edge.source]


def _rank(edge: Edge, costs: Sequence[int], rules: SelectionRules) -> tuple:
    return -_score(edge, costs, rules), -edge.confidence, edge.target, edge.source


def _check(candidates: Sequence[Edge], costs: Sequence[int]) -> None:
    beyond = [edge for edge in candidates if max(edge.ends) >= len(costs)]
    if beyond:
        raise ParamsError(f"the edge {beyond[0].source} -> {beyond[0].target} leaves the {len(costs)} questions")
    if any(cost < 0 for cost in costs):
        raise ParamsError(f"costs of {min(costs)} tokens; a source costs 0 or more")
