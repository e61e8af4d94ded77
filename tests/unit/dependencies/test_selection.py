"""Which candidates become edges."""

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmind.dependencies.edges import Edge
from pmind.dependencies.selection import SelectionRules, Verdict, select_edges, source_cost, weigh_edges
from pmind.errors import ParamsError


@st.composite
def groups(draw):
    """Candidates that go in circles, costs, and rules that bind."""
    questions = draw(st.integers(2, 7))
    index = st.integers(0, questions - 1)
    confidence = st.integers(0, 20).map(lambda twentieths: twentieths / 20)  # ties are common
    edges = st.builds(
        lambda source, step, sure: Edge(source, (source + step) % questions, sure),
        index,
        st.integers(1, questions - 1),
        confidence,
    )
    candidates = draw(st.lists(edges, max_size=30))
    costs = draw(st.lists(st.integers(0, 40), min_size=questions, max_size=questions))
    rules = SelectionRules(
        min_confidence=draw(confidence),
        token_cost=draw(st.sampled_from([0.0, 0.01, 0.02])),
        max_sources=draw(st.integers(0, 3)),
        budget_tokens=draw(st.integers(0, 120)),
    )
    return candidates, costs, rules


@settings(max_examples=200)
@given(groups())
def test_what_is_chosen_obeys_every_rule(group):
    candidates, costs, rules = group
    chosen = select_edges(candidates, costs, rules)
    assert nx.is_directed_acyclic_graph(chosen.graph())
    assert all(len(chosen.needed_by(target)) <= rules.max_sources for target in range(len(costs)))
    assert not rules.budget_tokens or sum(costs[edge.source] for edge in chosen.edges) <= rules.budget_tokens
    for edge in chosen.edges:
        assert edge in candidates
        assert edge.confidence >= rules.min_confidence
        assert edge.confidence > rules.token_cost * costs[edge.source]


@settings(max_examples=200)
@given(groups())
def test_nothing_is_left_out_that_the_rules_allow(group):
    candidates, costs, rules = group
    chosen = select_edges(candidates, costs, rules)
    spent = sum(costs[edge.source] for edge in chosen.edges)
    for edge in candidates:
        if edge.ends in [other.ends for other in chosen.edges]:
            continue
        assert (
            edge.confidence < rules.min_confidence
            or edge.confidence - rules.token_cost * costs[edge.source] <= 0
            or len(chosen.needed_by(edge.target)) >= rules.max_sources
            or (rules.budget_tokens and spent + costs[edge.source] > rules.budget_tokens)
            or nx.has_path(chosen.graph(), edge.target, edge.source)
        )


@settings(max_examples=100)
@given(groups(), st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_changes_nothing(group, random):
    candidates, costs, rules = group
    shuffled = random.sample(candidates, len(candidates))
    assert weigh_edges(shuffled, costs, rules) == weigh_edges(candidates, costs, rules)


def test_the_best_edge_of_a_circle_stays():
    circle = [Edge(0, 1, 0.9), Edge(1, 2, 0.8), Edge(2, 0, 0.7)]
    assert [edge.ends for edge in select_edges(circle, [10, 10, 10]).edges] == [(0, 1), (1, 2)]


def test_confidence_is_weighed_against_tokens():
    dear, cheap = Edge(0, 2, 0.6), Edge(1, 2, 0.5)
    verdicts = weigh_edges([dear, cheap], [50, 10, 10], SelectionRules(max_sources=1))
    assert verdicts == [
        Verdict(cheap, 10, pytest.approx(0.4)),
        Verdict(dear, 50, pytest.approx(0.1), "its question has as many sources as it may"),
    ]
    assert weigh_edges([dear], [60, 0, 0])[0].rejected == "not worth its tokens"  # worth exactly nothing
    assert weigh_edges([dear], [60, 0, 0], SelectionRules(token_cost=0))[0].rejected == ""


def test_an_edge_that_no_longer_fits_the_budget_leaves_room_for_a_cheaper_one():
    candidates = [Edge(0, 3, 0.9), Edge(1, 3, 0.8), Edge(2, 3, 0.5)]
    chosen = select_edges(candidates, [30, 30, 10, 0], SelectionRules(budget_tokens=40))
    assert chosen.needed_by(3) == (0, 2)


def test_a_confidence_at_the_minimum_is_enough():
    assert select_edges([Edge(0, 1, 0.35)], [0, 0]).edges
    assert weigh_edges([Edge(0, 1, 0.349)], [0, 0])[0].rejected == "confidence below 0.35"


def test_equal_edges_are_taken_in_the_order_of_their_targets():
    both = [Edge(1, 0, 0.8), Edge(0, 1, 0.8)]
    assert [edge.ends for edge in select_edges(both, [5, 5]).edges] == [(1, 0)]


def test_a_source_costs_its_question_its_answer_and_what_is_around_them():
    assert source_cost(question_tokens=10, answer_tokens=4) == 20


@pytest.mark.parametrize(
    "rules", [{"min_confidence": 1.5}, {"token_cost": -0.1}, {"max_sources": -1}, {"budget_tokens": float("nan")}]
)
def test_rules_out_of_range_are_named(rules):
    with pytest.raises(ParamsError, match=next(iter(rules))):
        SelectionRules(**rules)


def test_candidates_and_costs_have_to_fit_together():
    with pytest.raises(ParamsError, match="leaves the 2 questions"):
        select_edges([Edge(0, 2, 0.9)], [1, 1])
    with pytest.raises(ParamsError, match="costs of -1 tokens"):
        select_edges([], [1, -1])
