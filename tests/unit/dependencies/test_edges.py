"""Edges, and the rounds that they make."""

import itertools

import pytest

from pmind.dependencies.edges import Dependencies, Edge, strongest
from pmind.errors import ParamsError

DIAMOND = Dependencies(5, (Edge(1, 3, 0.5), Edge(2, 3, 0.6), Edge(0, 1, 0.7), Edge(0, 2, 0.8, "a word")))


def test_a_question_comes_as_soon_as_all_that_it_needs_are_answered():
    assert DIAMOND.layers() == [[0, 4], [1, 2], [3]]
    assert DIAMOND.depth == 3
    assert [DIAMOND.needed_by(question) for question in range(5)] == [(), (0,), (0,), (1, 2), ()]


def test_an_earlier_question_may_need_a_later_one():
    assert Dependencies(2, (Edge(1, 0, 0.9),)).layers() == [[1], [0]]


def test_without_edges_there_is_one_round_and_without_questions_none():
    assert (Dependencies(3).layers(), Dependencies(3).depth) == ([[0, 1, 2]], 1)
    assert (Dependencies(0).layers(), Dependencies(0).depth) == ([], 0)


def test_the_order_in_which_edges_are_given_changes_nothing():
    for edges in itertools.permutations(DIAMOND.edges):
        assert Dependencies(5, edges) == DIAMOND


def test_the_graph_keeps_confidence_and_reason():
    graph = DIAMOND.graph()
    assert list(graph.nodes) == [0, 1, 2, 3, 4]
    assert graph.edges[0, 2] == {"confidence": 0.8, "reason": "a word"}


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ((Edge(0, 2, 0.5),), "0 -> 2 leaves the 2 questions"),
        ((Edge(0, 1, 0.5), Edge(0, 1, 0.6)), "two edges"),
        ((Edge(0, 1, 0.5), Edge(1, 0, 0.6)), "in a circle"),
    ],
)
def test_dependencies_that_make_no_sense_are_refused(edges, message):
    with pytest.raises(ParamsError, match=message):
        Dependencies(2, edges)


@pytest.mark.parametrize("values", [(1, 1, 0.5), (-1, 0, 0.5), (0, 1, 1.1), (0, 1, -0.1), (0, 1, float("nan"))])
def test_an_edge_has_two_ends_and_a_confidence(values):
    with pytest.raises(ParamsError):
        Edge(*values)


def test_the_strongest_of_equal_edges_does_not_depend_on_their_order():
    edges = [Edge(0, 1, 0.4), Edge(0, 1, 0.9, "b"), Edge(0, 1, 0.9, "a"), Edge(1, 0, 0.3)]
    for order in itertools.permutations(edges):
        assert strongest(order) == [Edge(0, 1, 0.9, "b"), Edge(1, 0, 0.3)]
