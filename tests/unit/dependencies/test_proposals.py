"""What a model is asked, and what is read out of its replies."""

import pytest

from pmind.dependencies.proposals import REASON, UNSTATED, Proposal, parse_proposal, proposal_prompt


def edges_of(reply, questions=4):
    return {edge.ends: edge.confidence for edge in parse_proposal(reply, questions).edges}


def test_the_prompt_lists_the_questions_by_number_on_a_line_each():
    prompt = proposal_prompt(["Who wrote\nFaust?", "Where?"])
    assert "\n1. Who wrote Faust?\n2. Where?\n" in prompt


def test_the_prompt_repeated_is_no_proposal():
    assert parse_proposal(proposal_prompt(["Who?", "Where?"]).replace("reply with []", ""), 2) == Proposal((), False, 0)


@pytest.mark.parametrize(
    "reply",
    [
        '[{"question": 3, "needs": [1], "confidence": 0.9}]',
        '```json\n[{"question": 3, "needs": [1], "confidence": 0.9}]\n```',
        'Question 3 [the last one] needs it: {"question": 3, "needs": [1], "confidence": 0.9} - that is all.',
        '[{"question": 3, "needs": [1], "confidence": 0.9},]',  # a comma too many
        '[{"question": 3, "needs": [1], "confidence": 0.9}, {"question": 2, "ne',  # cut off
        '{"question": 3, "needs": [1], "confidence": 0.9}\n{"question": 2, "needs": [], "confidence": 1}',
        '{"dependencies": [{"question": "3", "needs": 1, "confidence": 0.9}]}',
        '<think>[{"question": 2, "needs": [1]}]?</think>[{"question": 3, "needs": ["1"], "confidence": 0.9}]',
    ],
)
def test_many_forms_will_do(reply):
    proposal = parse_proposal(reply, 4)
    assert proposal.understood
    assert proposal.ignored == 0
    assert [(edge.ends, edge.confidence, edge.reason) for edge in proposal.edges] == [((0, 2), 0.9, REASON)]


@pytest.mark.parametrize("reply", ["[]", "```\n[]\n```", "None of them: []", '{"dependencies": []}'])
def test_no_dependencies_is_an_answer(reply):
    assert parse_proposal(reply, 4) == Proposal((), True, 0)


@pytest.mark.parametrize(
    "reply",
    ["", "Question 2 needs question 1.", "[1, 2]", '{"answer": 3}', "[{[{", '{"question": 3}', "<think>[]", "[" * 5000],
)
def test_a_reply_of_another_form_is_not_understood(reply):
    proposal = parse_proposal(reply, 4)
    assert (proposal.edges, proposal.understood) == ((), False)


def test_lists_in_lists_in_lists_do_not_hurt():
    assert parse_proposal("[" * 900 + "]" * 900, 4).edges == ()


def test_a_question_may_need_several_and_later_ones():
    assert edges_of('[{"question": 2, "needs": [1, 4], "confidence": 1}]') == {(0, 1): 1.0, (3, 1): 1.0}


def test_edges_that_cannot_be_are_ignored_and_counted():
    reply = '[{"question": 2, "needs": [1, 2, 5, 0, "a", true, null], "confidence": 0.5}]'
    proposal = parse_proposal(reply, 4)
    assert [edge.ends for edge in proposal.edges] == [(0, 1)]
    assert (proposal.understood, proposal.ignored) == (True, 6)


@pytest.mark.parametrize(
    ("entry", "ignored"),
    [
        ('{"question": 9, "needs": [1, 2], "confidence": 0.5}', 2),
        ('{"question": 2, "needs": [1], "confidence": 90}', 1),
        ('{"question": 2, "needs": [1], "confidence": "high"}', 1),
        ('{"question": 2, "needs": [1], "confidence": NaN}', 1),
        ('{"question": 2.5, "needs": [1]}', 1),
        ('{"question": "%s", "needs": [1]}' % ("1" * 9000), 1),
        ('{"question": 2}', 1),
    ],
)
def test_entries_of_another_form_are_ignored_and_counted(entry, ignored):
    proposal = parse_proposal(f"[{entry}]", 4)
    assert (proposal.edges, proposal.ignored) == ((), ignored)


def test_an_entry_without_confidence_gets_one():
    assert edges_of('[{"question": 2, "needs": [1]}]') == {(0, 1): UNSTATED}


def test_of_two_entries_the_more_confident_counts():
    reply = '[{"question": 2, "needs": [1], "confidence": 0.4}, {"question": 2, "needs": [1], "confidence": 0.8}]'
    assert edges_of(reply) == {(0, 1): 0.8}
