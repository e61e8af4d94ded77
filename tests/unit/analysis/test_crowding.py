import math

import pytest
import torch

from pmind.analysis import crowding as module
from pmind.analysis.crowding import crowding, learnt_crowding, plain_sharpness, sibling_crowding
from pmind.analysis.phases import Geometry, head_frequencies, kernel, turns

TINY = head_frequencies(32, 10_000.0)
BRANCHES, COLUMNS = 4, 8


def crowded(geometry, sharpness=20.0, branches=BRANCHES):
    return crowding(kernel(geometry, TINY, branches, COLUMNS), TINY, sharpness)


def test_a_softmax_written_out():
    """Every query, target and key by itself, as the docstring says it; branches averaged within the logarithm."""
    geometry, sharpness = Geometry(0.5, "high", "offset", 3), 9.0
    found = kernel(geometry, TINY, BRANCHES, COLUMNS)

    def alike(target, branches):
        """Mean over the branches a query may be in, of the sum over the keys it may read."""
        sums = [
            sum(
                math.exp(sharpness * (float(found[BRANCHES - 1 + key - own, COLUMNS - 1 + target - back]) - 1))
                for key in (range(BRANCHES) if branches else [own])
                for back in range(1, COLUMNS)
            )
            for own in range(BRANCHES)
        ]
        return math.log(sum(sums) / BRANCHES)

    told = crowding(found, TINY, sharpness)
    targets = range(1, COLUMNS)
    expected = sum(alike(target, True) - alike(target, False) for target in targets) / len(targets)
    assert told.branches == pytest.approx(expected, abs=1e-5)
    assert told.columns == pytest.approx(0, abs=1e-6)  # offset keeps what plain RoPE has
    assert told.total == told.columns + told.branches


def test_branches_that_are_the_same_place_crowd_by_their_number():
    assert crowded(Geometry(0.0)).branches == pytest.approx(math.log(4))
    assert crowded(Geometry(0.0), branches=1).total == 0


def test_columns_that_are_the_same_place_crowd_by_their_number():
    """All pairs turn with the branch alone: every column looks the same, and plain RoPE was sure."""
    told = crowded(Geometry(1.0, stride=1024), sharpness=1000.0)
    assert told.columns == pytest.approx(math.log(COLUMNS - 1), abs=1e-6)
    assert told.branches == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_with_its_sharpness_plain_rope_is_as_sure_as_was_asked(share):
    sharpness = plain_sharpness(TINY, COLUMNS, share)
    plain = kernel(Geometry(0.0), TINY, 1, COLUMNS)
    assert math.exp(-module._look_alikes(plain, sharpness)) == pytest.approx(share, abs=1e-6)


def test_a_head_without_sharpness_sees_every_place_alike():
    assert sibling_crowding(kernel(Geometry(0.5), TINY, BRANCHES, COLUMNS), 0.0) == pytest.approx(math.log(4))


def test_learnt_weights_crowd_less_than_equal_ones_and_have_been_learnt(monkeypatch):
    turn = turns(Geometry(0.25), TINY, BRANCHES, 9)
    learnt = learnt_crowding(turn)
    monkeypatch.setattr(module, "LEARNING_STEPS", 1000)
    assert learnt == pytest.approx(learnt_crowding(turn), abs=5e-3)
    monkeypatch.setattr(module, "LEARNING_STEPS", 0)
    assert learnt < learnt_crowding(turn) - 0.1


def test_a_useless_pair_is_given_up():
    """One pair tells everything and one nothing: the least crowding is that of the first alone."""
    alone = turns(Geometry(0.0), torch.tensor([1.0]), 1, 5)
    both = torch.cat((alone, torch.zeros_like(alone)), dim=-1)
    scaled = math.sqrt(4) * (alone.cos() - 1)[0, 2:-2, 0]  # [C-1], the sharpness of two pairs
    assert learnt_crowding(both) == pytest.approx(float(scaled.logsumexp(0)), abs=1e-3)
