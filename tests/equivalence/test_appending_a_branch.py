"""DESIGN 5.3: a further branch changes nothing when isolated, and only later columns when columnar."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pmind.models.settings import Settings
from tests.groups import Group, any_group, random_group
from tests.reference import assert_close, dense_logits, differ
from tests.tiny import wired_model

GROUP = random_group(6, [4, 1, 3], [4, 3, 1])
NOT_LONGEST, LONGEST = random_group(0, [2], [4], seed=7), random_group(0, [6], [4], seed=7)


@pytest.mark.parametrize("encoding", ["replace", "offset"])
@pytest.mark.parametrize("newcomer", [NOT_LONGEST, LONGEST], ids=["P_stays", "P_grows"])
def test_isolated_own_never_changes(newcomer, encoding):
    settings = _settings("isolated", "own", encoding)
    before, after, _ = _logits(settings, GROUP, newcomer)
    assert_close(after, before)


@given(group=any_group(), length=st.integers(1, 70))
def test_isolated_own_never_changes_any_group(group, length):
    before, after, _ = _logits(_settings("isolated", "own"), group, random_group(0, [length], seed=7))
    assert_close(after, before)


@pytest.mark.parametrize("encoding", ["replace", "offset"])
@pytest.mark.parametrize("alignment", ["right", "left"])
def test_isolated_changes_nothing_if_the_longest_prompt_stays(alignment, encoding):
    before, after, _ = _logits(_settings("isolated", alignment, encoding), GROUP, NOT_LONGEST)
    assert_close(after, before)


@pytest.mark.parametrize("alignment", ["right", "left"])
def test_isolated_changes_with_the_longest_prompt(alignment):
    """P couples siblings even when they are isolated: answers move to the right."""
    before, after, _ = _logits(_settings("isolated", alignment), GROUP, LONGEST)
    assert differ(after, before)


@pytest.mark.parametrize("encoding", ["replace", "offset"])
@pytest.mark.parametrize("alignment", ["right", "left"])
def test_columnar_changes_only_later_columns(alignment, encoding):
    before, after, later = _logits(_settings("columnar", alignment, encoding), GROUP, NOT_LONGEST)
    assert_close(after[~later], before[~later])
    changes = (after - before)[later].abs().amax(dim=-1)
    assert (changes > 1e-3).all()


def _settings(visibility, alignment, encoding="replace") -> Settings:
    return Settings(
        rope_2d_ratio=0.5, branch_stride=5, branch_encoding=encoding, alignment=alignment, visibility=visibility
    )


def _logits(settings: Settings, group: Group, newcomer: Group) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits of GROUP's tokens without and with the new branch, and which stand after its first column."""
    model = wired_model(settings=settings)
    larger = Group(group.context, group.prompts + newcomer.prompts, group.answers + newcomer.answers)
    before, after = group.layout(settings.alignment), larger.layout(settings.alignment)
    old = after.branch != len(larger.prompts)
    first_column = after.column[~old].min()
    same_order = after.token_ids[old].equal(before.token_ids)
    assert same_order or settings.alignment != "own"
    by_branch = torch.argsort(before.branch, stable=True), torch.argsort(after.branch[old], stable=True)
    return (
        dense_logits(model, settings, before)[by_branch[0]],
        dense_logits(model, settings, after)[old][by_branch[1]],
        (after.column[old] > first_column)[by_branch[1]],
    )
