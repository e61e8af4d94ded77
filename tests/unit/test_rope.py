import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pmind.errors import SettingsError
from pmind.models.settings import Settings
from pmind.rope import angles, branch_pairs, branch_turn
from tests.tiny import wired_model


def literal_pairs(pairs, ratio, placement):
    """DESIGN section 3, word for word, in whole numbers (ratio = k / 64)."""
    count = (2 * ratio * pairs + 64) // 128
    if placement == "low":
        return [pair for pair in range(1, pairs + 1) if pair > pairs - count]
    if placement == "high":
        return [pair for pair in range(1, pairs + 1) if pair <= count]
    return [(2 * i + 1) * pairs // (2 * count) + 1 for i in range(count)]


@given(
    pairs=st.sampled_from([4, 8, 16, 20, 32, 64]),
    ratio=st.integers(0, 64),
    placement=st.sampled_from(["interleaved", "low", "high"]),
)
def test_placements_against_the_design(pairs, ratio, placement):
    expected = literal_pairs(pairs, ratio, placement)
    if ratio and not expected:
        with pytest.raises(SettingsError, match="selects none"):
            branch_pairs(pairs, ratio / 64, placement)
    else:
        assert list(branch_pairs(pairs, ratio / 64, placement)) == expected


@pytest.mark.parametrize("placement", ["interleaved", "low", "high"])
@pytest.mark.parametrize("pairs", range(1, 65))
def test_pairs_are_different_and_in_range(pairs, placement):
    for count in range(pairs + 1):
        chosen = branch_pairs(pairs, count / pairs, placement)
        assert len(chosen) == count == len(set(chosen))
        assert list(chosen) == sorted(chosen)
        assert all(1 <= pair <= pairs for pair in chosen)


def test_ratio_rounds_half_up():
    assert len(branch_pairs(16, 1 / 32)) == 1
    assert len(branch_pairs(16, 3 / 32)) == 2


def test_a_ratio_that_selects_none_names_the_least_one():
    with pytest.raises(SettingsError, match=r"0\.03 of 16 frequency pairs selects none; use 0 or at least 0\.03125"):
        branch_pairs(16, 0.03)
    assert branch_pairs(16, 0.0) == ()


def test_pair_indices_override_ratio_and_placement():
    assert branch_pairs(16, 0.5, "low", (3, 1)) == (1, 3)
    assert branch_pairs(16, 0.0, indices=[16]) == (16,)


@pytest.mark.parametrize("indices", [[0], [17], [2, 2], [-1, 3]])
def test_pair_indices_outside_the_head(indices):
    with pytest.raises(SettingsError, match="different numbers from 1 to 16"):
        branch_pairs(16, 0.5, indices=indices)


def literal_angle(branch, column, inv_freq, carries, encoding, stride):
    x, y = branch * stride, column
    if not carries:
        return inv_freq * y
    return inv_freq * x if encoding == "replace" else inv_freq * (y + x)


@given(
    coords=st.lists(st.tuples(st.integers(0, 64), st.integers(0, 500)), min_size=1, max_size=5),
    encoding=st.sampled_from(["replace", "offset"]),
    stride=st.integers(1, 128),
    carries=st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_angles_against_the_design(coords, encoding, stride, carries):
    inv_freq = 10_000.0 ** -(torch.arange(8) / 8)
    actual = angles(torch.tensor([coords]), inv_freq, torch.tensor(carries), encoding, stride)[0]
    assert actual.dtype == torch.float32
    for token, (branch, column) in enumerate(coords):
        for pair in range(8):
            expected = literal_angle(branch, column, float(inv_freq[pair]), carries[pair], encoding, stride)
            assert float(actual[token, pair]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("encoding", ["replace", "offset"])
@pytest.mark.parametrize("choice", [{"rope_2d_ratio": 0.5, "pair_placement": "high"}, {"pair_indices": (2, 7)}])
def test_a_wired_models_rotary_module_against_the_design(encoding, choice):
    """Cosines and sines pass through settings, stride and the base model's own frequencies."""
    settings = Settings(branch_stride=7, branch_encoding=encoding, **choice)
    rotary = wired_model(settings=settings).model.rotary_emb
    pairs = choice.get("pair_indices", (1, 2, 3, 4))
    coords = [(0, 0), (0, 9), (1, 9), (5, 11)]
    cosine, sine = rotary(torch.zeros(1), torch.tensor([coords]))
    for token, (branch, column) in enumerate(coords):
        for pair in range(8):
            angle = literal_angle(branch, column, 10_000 ** -(pair / 8), pair + 1 in pairs, encoding, 7)
            for half in (pair, pair + 8):
                assert float(cosine[0, token, half]) == pytest.approx(math.cos(angle), abs=1e-5)
                assert float(sine[0, token, half]) == pytest.approx(math.sin(angle), abs=1e-5)


def test_angles_are_cast_once_at_the_end():
    """Column 500 in bfloat16 would be 500 still, but times a frequency it would be off by whole radians."""
    rotary = wired_model(settings=Settings(rope_2d_ratio=0.5)).model.rotary_emb
    coords = torch.tensor([[[3, 501]]])
    exact, _ = rotary(torch.zeros(1), coords)
    rounded, _ = rotary(torch.zeros(1, dtype=torch.bfloat16), coords)
    assert rounded.equal(exact.bfloat16())


def test_turn_between_neighbours_in_the_designs_example():
    """Low, r = 0.25, stride 128, theta 1e6, F = 32: 0.004 rad."""
    inv_freq = 1e6 ** -(torch.arange(32) / 32)
    assert branch_turn(inv_freq, branch_pairs(32, 0.25, "low"), 128) == pytest.approx(0.004, abs=5e-5)
    assert branch_turn(inv_freq, (), 128) == 0


@pytest.mark.parametrize(("theta", "pairs"), [(1e4, 16), (1e6, 32), (1e6, 48)])  # the presets' heads
def test_default_settings_tell_neighbours_apart(theta, pairs):
    inv_freq = theta ** -(torch.arange(pairs) / pairs)
    assert branch_turn(inv_freq, branch_pairs(pairs, 0.25), 16) >= 1
