"""DESIGN 5.3: branches permuted together with their numbers; over fixed numbers only at r = 0."""

import pytest
import torch

from pmind.decoding.branches import GroupRequest
from pmind.models.settings import Settings
from tests.groups import Group, random_group
from tests.reference import LEGAL, assert_close, decode_recorded, dense_logits, differ, places
from tests.tiny import wired_model

GROUP = random_group(6, [4, 1, 3, 2], [3, 3, 1, 2])
ORDER = (2, 0, 3, 1)
PERMUTED = Group(GROUP.context, *(tuple(part[place] for place in ORDER) for part in (GROUP.prompts, GROUP.answers)))
NUMBERS = (4, 1, 6, 2)


@pytest.mark.parametrize("ratio", [0.0, 0.5])
@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_with_their_numbers(visibility, alignment, ratio):
    settings = _settings(visibility, alignment, ratio)
    moved = tuple(NUMBERS[place] for place in ORDER)
    first, second = _branches(settings, GROUP, NUMBERS), _branches(settings, PERMUTED, moved)
    for place, origin in enumerate(ORDER):
        assert_close(second[place], first[origin])


@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_over_fixed_numbers_without_a_branch_axis(visibility, alignment):
    settings = _settings(visibility, alignment, 0.0)
    first, second = _branches(settings, GROUP, NUMBERS), _branches(settings, PERMUTED, NUMBERS)
    for place, origin in enumerate(ORDER):
        assert_close(second[place], first[origin])


@pytest.mark.parametrize("encoding", ["replace", "offset"])
@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_over_fixed_numbers_with_a_branch_axis_changes_every_branch(visibility, alignment, encoding):
    settings = _settings(visibility, alignment, 0.5, encoding)
    first, second = _branches(settings, GROUP, NUMBERS), _branches(settings, PERMUTED, NUMBERS)
    for place, origin in enumerate(ORDER):
        assert differ(second[place], first[origin])


@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_while_decoding(visibility, alignment, compiled):
    """Each request is decoded on its own; the first answer token's logits need no common tokens."""
    settings = _settings(visibility, alignment, 0.5)
    model = wired_model(settings=settings, compiled=compiled)
    requests = [
        GroupRequest(GROUP.context, GROUP.prompts, NUMBERS),
        GroupRequest(PERMUTED.context, PERMUTED.prompts, tuple(NUMBERS[place] for place in ORDER)),
    ]
    first, second = decode_recorded(model, settings, requests, max_new_tokens=6)
    assert list(first) == list(NUMBERS)
    for number in NUMBERS:
        tokens, logits = first[number]
        assert second[number][0] == tokens
        assert_close(second[number][1], logits)


@pytest.mark.parametrize("encoding", ["replace", "offset"])
def test_the_stride_multiplies_the_numbers(encoding):
    """Numbers 4, 1, 6, 2 at stride 6 are numbers 24, 6, 36, 12 at stride 1."""
    strided = Settings(rope_2d_ratio=0.5, branch_stride=6, branch_encoding=encoding)
    plain = Settings(rope_2d_ratio=0.5, branch_stride=1, branch_encoding=encoding)
    first = _branches(strided, GROUP, NUMBERS)
    second = _branches(plain, GROUP, tuple(6 * number for number in NUMBERS))
    for ours, theirs in zip(first, second, strict=True):
        assert_close(ours, theirs)


def _settings(visibility, alignment, ratio, encoding="replace") -> Settings:
    return Settings(
        rope_2d_ratio=ratio, branch_stride=5, branch_encoding=encoding, alignment=alignment, visibility=visibility
    )


def _branches(settings: Settings, group: Group, numbers: tuple[int, ...]) -> list[torch.Tensor]:
    layout = group.layout(settings.alignment, numbers)
    logits = dense_logits(wired_model(settings=settings), settings, layout)
    return [logits[places(layout, number)] for number in numbers]
