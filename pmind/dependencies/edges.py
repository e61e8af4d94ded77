"""Edges between the questions of a group, and the rounds in which they can be answered.

An edge runs from the question whose answer is needed to the one that needs it::

    1. Who wrote Faust? ----------> 2. Where was that person born?
    3. Which river is longest?

    round 1: questions 1 and 3      round 2: question 2
"""

from collections.abc import Iterable
from dataclasses import dataclass

import networkx as nx

from pmind.errors import ParamsError


@dataclass(frozen=True, order=True)
class Edge:
    """One question needs another's answer.

    Attributes:
        source: index of the question whose answer is needed, from 0.
        target: index of the question that needs it.
        confidence: from 0 to 1.
        reason: what speaks for it, in a few words.
    """

    source: int
    target: int
    confidence: float
    reason: str = ""

    def __post_init__(self) -> None:
        if min(self.source, self.target) < 0 or self.source == self.target:
            raise ParamsError(f"an edge from question index {self.source} to {self.target}; it needs two, from 0 on")
        if not 0 <= self.confidence <= 1:
            raise ParamsError(f"the edge {self.source} -> {self.target}: confidence {self.confidence} is not in [0, 1]")

    @property
    def ends(self) -> tuple[int, int]:
        """Source and target."""
        return self.source, self.target


@dataclass(frozen=True)
class Dependencies:
    """The edges that a group is answered by.

    Attributes:
        questions: how many the group has.
        edges: at most one for each source and target, without cycles; kept in the order of their targets.

    Example:
        >>> chosen = Dependencies(3, (Edge(0, 2, 0.9), Edge(1, 2, 0.6)))
        >>> chosen.needed_by(2), chosen.layers(), chosen.depth
        ((0, 1), [[0, 1], [2]], 2)
    """

    questions: int
    edges: tuple[Edge, ...] = ()

    def __post_init__(self) -> None:
        ends = [edge.ends for edge in self.edges]
        beyond = [edge for edge in self.edges if max(edge.ends) >= self.questions]
        if beyond:
            raise ParamsError(
                f"the edge {beyond[0].source} -> {beyond[0].target} leaves the {self.questions} questions"
            )
        if len(set(ends)) < len(ends):
            raise ParamsError("two edges from one question to the same other. Keep one, see strongest()")
        graph = self.graph()
        if not nx.is_directed_acyclic_graph(graph):
            cycle = " -> ".join(str(source) for source, _ in nx.find_cycle(graph))
            raise ParamsError(f"questions {cycle} wait for each other in a circle. Drop an edge, see select_edges()")
        ordered = sorted(self.edges, key=lambda edge: (edge.target, edge.source))
        object.__setattr__(self, "edges", tuple(ordered))

    def needed_by(self, target: int) -> tuple[int, ...]:
        """Questions whose answers TARGET needs, in their order."""
        return tuple(edge.source for edge in self.edges if edge.target == target)

    def layers(self) -> list[list[int]]:
        """Questions of each round: a question comes as soon as all that it needs are answered."""
        return [sorted(layer) for layer in nx.topological_generations(self.graph())]

    @property
    def depth(self) -> int:
        """Rounds that it takes."""
        return len(self.layers())

    def graph(self) -> nx.DiGraph:
        """Questions as nodes, edges with their ``confidence`` and ``reason``."""
        graph = nx.DiGraph()
        graph.add_nodes_from(range(self.questions))
        for edge in self.edges:
            graph.add_edge(*edge.ends, confidence=edge.confidence, reason=edge.reason)
        return graph


def strongest(edges: Iterable[Edge]) -> list[Edge]:
    """One edge for each source and target, the most confident, whatever their order.

    Example:
        >>> strongest([Edge(0, 1, 0.4, "a word"), Edge(0, 1, 0.9, "a number")])
        [Edge(source=0, target=1, confidence=0.9, reason='a number')]
    """
    best: dict[tuple[int, int], Edge] = {}
    for edge in edges:
        best[edge.ends] = max(edge, best.get(edge.ends, edge), key=lambda one: (one.confidence, one.reason))
    return sorted(best.values())
