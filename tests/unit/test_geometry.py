import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pmind.errors import LayoutError
from pmind.geometry import ANSWER, CONTEXT, PADDING, PROMPT, branch_starts, build_layout, pad_layouts
from tests.groups import any_group, random_group

DESIGN_GROUP = random_group(8, [4, 3, 2], [1, 1, 1])  # the example of DESIGN section 2


def columns(layout, branch, role):
    return layout.column[(layout.branch == branch) & (layout.roles == role)].tolist()


def test_the_example_of_the_design():
    """Left, C = 8: column 8 holds all first tokens, column 11 only branch 1's last, answers start in 12."""
    layout = DESIGN_GROUP.layout("left")
    assert columns(layout, 0, CONTEXT) == list(range(8))
    assert layout.branch[layout.column == 8].tolist() == [1, 2, 3]
    assert layout.branch[layout.column == 11].tolist() == [1]
    assert [columns(layout, branch, ANSWER) for branch in (1, 2, 3)] == [[12], [12], [12]]


@pytest.mark.parametrize(
    ("alignment", "prompts", "answers"),
    [
        ("own", [[8, 9, 10, 11], [8, 9, 10], [8, 9]], [12, 11, 10]),
        ("left", [[8, 9, 10, 11], [8, 9, 10], [8, 9]], [12, 12, 12]),
        ("right", [[8, 9, 10, 11], [9, 10, 11], [10, 11]], [12, 12, 12]),
    ],
)
def test_columns_of_every_alignment(alignment, prompts, answers):
    layout = DESIGN_GROUP.layout(alignment)
    assert [columns(layout, branch, PROMPT) for branch in (1, 2, 3)] == prompts
    assert [columns(layout, branch, ANSWER) for branch in (1, 2, 3)] == [[start] for start in answers]


def test_flat_order_is_by_column_then_branch():
    layout = DESIGN_GROUP.layout("right", numbers=(3, 1, 2))
    keys = [(column, branch) for branch, column in layout.coords.tolist()]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


@given(group=any_group(), alignment=st.sampled_from(["own", "right", "left"]))
def test_following_walks_through_each_branch(group, alignment):
    layout = group.layout(alignment) if all(map(len, group.answers)) else group.layout("right")
    firsts = set(range(len(layout.token_ids))) - set(layout.following.tolist())
    walked = {}
    for first in firsts:
        place, tokens = first, []
        while place >= 0:
            assert layout.branch[place] == layout.branch[first]
            tokens.append(int(layout.token_ids[place]))
            place = int(layout.following[place])
        walked[int(layout.branch[first])] = tuple(tokens)
    expected = {number: group.prompts[number - 1] + group.answers[number - 1] for number in walked if number}
    assert walked == (expected | {0: group.context} if group.context else expected)
    assert len(walked) == len(group.prompts) + bool(group.context)


@given(group=any_group())
def test_coords_depend_on_nothing_but_the_own_branch_and_the_longest_prompt(group):
    """Neither on how many siblings there are, nor on their numbers."""
    longest = max(range(len(group.prompts)), key=lambda branch: len(group.prompts[branch]))
    kept = sorted({0, longest})
    smaller = build_layout(
        group.context,
        [group.prompts[branch] for branch in kept],
        [group.answers[branch] for branch in kept],
        alignment="right",
        numbers=[branch + 1 for branch in kept],
    )
    whole = group.layout("right")
    for number in (0, *(branch + 1 for branch in kept)):
        assert whole.coords[whole.branch == number].equal(smaller.coords[smaller.branch == number])


def test_column_offsets_move_whole_branches():
    plain = DESIGN_GROUP.layout("right")
    moved = build_layout(
        DESIGN_GROUP.context, DESIGN_GROUP.prompts, DESIGN_GROUP.answers, alignment="right", column_offsets=[0, 5, 2]
    )
    for branch, offset in enumerate([0, 0, 5, 2]):  # the context stays
        assert moved.column[moved.branch == branch].tolist() == [
            column + offset for column in plain.column[plain.branch == branch].tolist()
        ]


def test_texts_as_branches_with_empty_prompts():
    """Pretraining: a token's column is its index in the text."""
    layout = build_layout((), [(), ()], [[5, 6, 7], [8, 9]], alignment="right")
    assert layout.coords.tolist() == [[1, 0], [2, 0], [1, 1], [2, 1], [1, 2]]
    assert (layout.roles == ANSWER).all()


def test_answers_are_optional():
    layout = build_layout([1, 2], [[3]], alignment="own")
    assert layout.roles.tolist() == [CONTEXT, CONTEXT, PROMPT]


def test_a_layout_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DESIGN_GROUP.layout("own").roles = None


def test_padding():
    layouts = [build_layout([1], [[2], [3]], alignment="own"), build_layout([], [[4]], alignment="own")]
    token_ids, coords = pad_layouts(layouts, pad_id=7)
    assert token_ids.tolist() == [[1, 2, 3], [4, 7, 7]]
    assert coords[1].tolist() == [[1, 0], [PADDING, PADDING], [PADDING, PADDING]]
    assert coords.dtype == torch.int64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prompts": []}, "at least one branch"),
        ({"prompts": [[1], [], [2]]}, "branch 2 has 0 tokens"),
        ({"prompts": [[1], []], "answers": [[], []]}, "branch 2 has 0 tokens"),
        ({"numbers": [1]}, "2 prompts but 1 numbers"),
        ({"answers": [[1]]}, "2 prompts but 1 answers"),
        ({"column_offsets": [1, 2, 3]}, "2 prompts but 3 column_offsets"),
        ({"numbers": [2, 2]}, "different and at least 1"),
        ({"numbers": [0, 1]}, "different and at least 1"),
        ({"column_offsets": [0, -1]}, "must not be negative"),
        ({"alignment": "centre"}, "unknown alignment 'centre'"),
    ],
)
def test_errors_say_what_is_wrong(changes, message):
    group = {"context": [9], "prompts": [[1], [2]], "alignment": "right"} | changes
    with pytest.raises(LayoutError, match=message):
        build_layout(**group)


def test_branch_starts_without_prompts():
    assert branch_starts(4, [0, 0], "right") == [(4, 4), (4, 4)]
