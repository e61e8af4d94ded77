"""Where the boxes and arrows of a drawing stand: rounds from left to right, arrows past what lies between.

An edge that skips rounds gets a lane of its own in each of them, between the boxes (Sugiyama, Tagawa
and Toda, 1981, "Methods for visual understanding of hierarchical system structures")::

    round 1      round 2      round 3
    [ 1 ] -----> [ 2 ] -----> [ 3 ]
        `-------- lane -------'
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pmind.dependencies.edges import Dependencies, Edge

LANE_HEIGHT = 0.1  # of a box's usual unit, inches
Item = int | tuple[int, int, int]  # a question, or the lane of (source, target) in a round


@dataclass(frozen=True)
class Spot:
    """Centre of a box or a lane: its round, from 0, and how far above the middle of the drawing."""

    round: int
    y: float


def place(dependencies: Dependencies, heights: Sequence[float], gap: float) -> dict[Item, Spot]:
    """A spot for every question and every lane.

    Args:
        dependencies: who needs whom.
        heights: of each question's box.
        gap: between two in a round.

    Returns:
        Spots; those of a round stand in the order of what they need, so that few arrows cross.

    Example:
        >>> place(Dependencies(3, (Edge(0, 2, 0.9),)), heights=[1, 1, 1], gap=1)
        {0: Spot(round=0, y=1.0), 1: Spot(round=0, y=-1.0), 2: Spot(round=1, y=0.0)}
    """
    rounds = {question: number for number, layer in enumerate(dependencies.layers()) for question in layer}
    before = _before(dependencies.edges, rounds)
    spots: dict[Item, Spot] = {}
    for number, layer in enumerate(dependencies.layers()):
        items = [*layer, *(item for item in before if isinstance(item, tuple) and item[0] == number)]
        items.sort(key=lambda item: _middle(before.get(item, ()), spots))  # stable: questions in their order
        tall = [heights[item] if isinstance(item, int) else LANE_HEIGHT for item in items]
        top = (sum(tall) + gap * (len(items) - 1)) / 2
        for item, height in zip(items, tall, strict=True):
            spots[item] = Spot(number, top - height / 2)
            top -= height + gap
    return spots


def route(edge: Edge, spots: Mapping[Item, Spot]) -> list[Item]:
    """What an arrow passes, from its source to its target."""
    rounds = range(spots[edge.source].round + 1, spots[edge.target].round)
    return [edge.source, *((number, *edge.ends) for number in rounds), edge.target]


def _before(edges: Sequence[Edge], rounds: Mapping[int, int]) -> dict[Item, list[Item]]:
    """What stands one round earlier and leads to a question or a lane."""
    before: dict[Item, list[Item]] = {}
    for edge in edges:
        last: Item = edge.source
        for number in range(rounds[edge.source] + 1, rounds[edge.target]):
            lane = (number, *edge.ends)
            before[lane] = [last]
            last = lane
        before.setdefault(edge.target, []).append(last)
    return before


def _middle(items: Sequence[Item], spots: Mapping[Item, Spot]) -> float:
    """Less, the further up these stand."""
    return -sum(spots[item].y for item in items) / len(items) if items else 0.0
