import random

from hypothesis import given
from hypothesis import strategies as st

from pmind.harness.grouping import PromptGroup, Work, group_prompts

BRANCHES, LEAST, MOST = 4, 3, 30
HEADER = (7,) * 12
EXAMPLES = {subject: HEADER + tuple(range(100 * subject, 100 * subject + 80)) for subject in range(1, 4)}
QUESTIONS = [(*block, 900 + number, number) for block in EXAMPLES.values() for number in range(8)]


@st.composite
def some_prompts(draw):
    """Different prompts, many of which begin alike; some are the beginning of others."""
    stems = draw(st.lists(st.lists(st.integers(0, 2), max_size=12), min_size=1, max_size=4))
    tails = st.lists(st.integers(0, 2), min_size=1, max_size=6)
    prompts = draw(st.lists(st.tuples(st.sampled_from(stems), tails), min_size=1, max_size=25))
    return sorted({(*stem, *tail) for stem, tail in prompts}, key=hash)


def work_of(groups, prompts):
    work = Work()
    work.note(len(prompts), prompts, groups)
    return work


@given(prompts=some_prompts())
def test_every_prompt_is_in_one_group_that_it_begins_like(prompts):
    groups = group_prompts(prompts, BRANCHES, LEAST, MOST)
    assert sorted(member for group in groups for member in group.members) == list(range(len(prompts)))
    for group in groups:
        assert 1 <= len(group.members) <= BRANCHES
        rests = [prompts[member][len(group.context) :] for member in group.members]
        assert all(prompts[member][: len(group.context)] == group.context for member in group.members)
        assert all(rests)
        assert len(rests) == 1 or sum(map(len, rests)) <= MOST


@given(prompts=some_prompts(), seed=st.integers(0, 9))
def test_the_order_of_requests_does_not_matter(prompts, seed):
    shuffled = random.Random(seed).sample(prompts, len(prompts))

    def contexts(asked):
        return [(group.context, len(group.members)) for group in group_prompts(asked, BRANCHES, LEAST, 10**6)]

    assert contexts(prompts) == contexts(shuffled)


@given(prompts=some_prompts())
def test_no_more_is_read_than_of_each_prompt_alone(prompts):
    work = work_of(group_prompts(prompts, BRANCHES, LEAST, MOST), prompts)
    assert work.tokens_read <= work.prompt_tokens == sum(map(len, prompts))


@given(prompts=some_prompts())
def test_a_context_is_read_once(prompts):
    contexts = [group.context for group in group_prompts(prompts, BRANCHES, LEAST, MOST)]
    turns = [context for place, context in enumerate(contexts) if place == 0 or contexts[place - 1] != context]
    assert len(turns) == len(set(turns))


def test_questions_share_their_subjects_examples_not_the_header_of_all_subjects():
    asked = random.Random(0).sample(QUESTIONS, len(QUESTIONS))
    groups = group_prompts(asked, branches=8)
    assert {group.context for group in groups} == set(EXAMPLES.values())
    assert [len(group.members) for group in groups] == [8, 8, 8]
    work = work_of(groups, asked)
    assert (work.contexts, work.sharing) == (3, 24)
    assert work.tokens_read == 3 * 92 + 24 * 2


def test_more_prompts_than_branches_share_one_context_in_several_groups():
    groups = group_prompts(QUESTIONS[:8], branches=3)
    assert [(group.context, len(group.members)) for group in groups] == [(EXAMPLES[1], count) for count in (3, 3, 2)]
    assert work_of(groups, QUESTIONS[:8]).tokens_read == 92 + 8 * 2


def test_two_questions_that_begin_alike_stay_with_their_siblings():
    """Their 95 tokens would be read anew to save two."""
    asked = [*QUESTIONS[:6], EXAMPLES[1] + (1, 2, 3, 4), EXAMPLES[1] + (1, 2, 3, 5)]
    assert {group.context for group in group_prompts(asked, branches=8)} == {EXAMPLES[1]}


def test_prompts_that_share_too_little_are_branches_without_a_context():
    asked = [(*range(31), token) for token in range(100, 104)]
    assert group_prompts(asked, branches=8) == [PromptGroup((), (0, 1, 2, 3))]
    assert group_prompts(asked, branches=8, least_prefix=31)[0].context == tuple(range(31))


def test_a_prompt_alone_is_context_but_for_its_last_token():
    assert group_prompts([(1, 2, 3)], branches=8) == [PromptGroup((1, 2), (0,))]
    assert group_prompts([(1,)], branches=8) == [PromptGroup((), (0,))]


def test_a_prompt_that_begins_another_keeps_a_token_of_its_own():
    asked = [tuple(range(40)), tuple(range(60))]
    (group,) = group_prompts(asked, branches=8)
    assert group.context == tuple(range(39))


def test_long_prompts_are_not_read_together():
    asked = [(token,) * 60 for token in range(4)]
    groups = group_prompts(asked, branches=8, most_tokens=130)
    assert [len(group.members) for group in groups] == [2, 2]


def test_a_conversation_of_two_thousand_turns():
    """Each prompt begins the next: runs nested as deep as there are prompts."""
    asked = [tuple(range(length)) for length in range(40, 2040)]
    groups = group_prompts(asked, branches=8)
    assert sorted(member for group in groups for member in group.members) == list(range(2000))
    assert work_of(groups, asked).tokens_read < sum(map(len, asked)) / 2


def test_nothing_to_group():
    assert group_prompts([], branches=8) == []
