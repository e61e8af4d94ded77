import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, rotate_half

from pmind.analysis.phases import Geometry, head_frequencies, kernel, measure, turns
from pmind.errors import SettingsError
from pmind.models.settings import Settings
from tests.tiny import stock_model, wired_model

TINY = head_frequencies(32, 10_000.0)
GEOMETRIES = st.builds(
    Geometry,
    ratio=st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0]),
    placement=st.sampled_from(["interleaved", "low", "high"]),
    encoding=st.sampled_from(["replace", "offset"]),
    stride=st.integers(1, 4096),
)


def between(found, branches, columns):
    """The kernel of two places so far apart."""
    rows, width = found.shape
    return float(found[rows // 2 + branches, width // 2 + columns])


def test_frequencies_are_those_of_transformers():
    config = stock_model().config
    expected = LlamaRotaryEmbedding(config).inv_freq
    assert torch.allclose(head_frequencies(16, config.rope_parameters["rope_theta"]), expected, rtol=1e-6)


def test_without_branch_pairs_branches_are_the_same_place():
    found = kernel(Geometry(0.0), TINY, branches=4, columns=8)
    assert found[:, 7].tolist() == [1.0] * 7
    assert (found == found[3]).all()
    told = measure(Geometry(0.0), TINY, 4, 8)
    assert (told.mean_branch_kernel, told.worst_branch_kernel, told.neighbour_turn) == (1.0, 1.0, 0.0)
    assert (told.alias_kernel, told.alias_branches, told.alias_columns) == (1.0, 1, 0)
    assert told.collisions == 3  # 1, 2 and 3 branches away
    assert told.column_sharpness == told.turning_share == told.context_share == 1.0


def test_one_pair_of_a_known_angle():
    """A sixth of a turn from branch to branch: cos 60° = 1/2, cos 120° = -1/2, cos 180° = -1."""
    told = measure(Geometry(1.0, stride=2), torch.tensor([math.pi / 6]), branches=4, columns=2)
    assert told.neighbour_turn == pytest.approx(math.pi / 3)
    assert told.mean_branch_kernel == pytest.approx((3 * 0.5 + 2 * -0.5 + 1 * -1) / 6, abs=1e-6)
    assert (told.worst_branch_kernel, told.worst_branch_step) == (pytest.approx(0.5), 1)
    assert told.next_column_kernel == 1.0  # nothing turns with the column
    assert (told.turning_share, told.column_sharpness, told.context_share) == (0.0, 0.0, 0.0)


def test_a_stride_of_a_whole_turn_is_an_alias():
    inv_freq = torch.tensor([math.pi / 8, 0.01])  # 16 positions are one turn of the first pair
    told = measure(Geometry(0.5, "high", "replace", stride=16), inv_freq, branches=3, columns=4)
    assert told.worst_branch_kernel == pytest.approx(1.0, abs=1e-6)
    assert (told.neighbour_turn, told.mean_branch_kernel) == (pytest.approx(0, abs=1e-6), pytest.approx(1, abs=1e-6))


def test_an_offset_by_the_stride_is_an_alias_of_the_fast_pairs():
    """One branch on and a stride back the branch pairs are where they were: only the slow ones tell."""
    told = measure(Geometry(0.5, "high", "offset", 16), TINY, branches=4, columns=32)
    assert (told.alias_branches, told.alias_columns) == (1, -16)
    assert told.alias_kernel == pytest.approx(float((8 + (16 * TINY[8:]).cos().sum()) / 16), abs=1e-6)


@given(geometry=GEOMETRIES, branches=st.integers(1, 5), columns=st.integers(1, 6))
def test_a_kernel_is_a_mirror_image_of_itself_within_bounds(geometry, branches, columns):
    found = kernel(geometry, TINY, branches, columns)
    assert found.shape == (2 * branches - 1, 2 * columns - 1)
    assert found.abs().max() <= 1 + 1e-6
    assert torch.allclose(found, found.flip(0, 1), atol=1e-6)
    assert between(found, 0, 0) == 1.0


@given(geometry=GEOMETRIES, order=st.permutations(range(4)))
def test_the_order_of_branches_changes_no_mean(geometry, order):
    """Over any numbering the pairs of branches are the same pairs."""
    found = kernel(geometry, TINY, 4, 1)
    pairs = [between(found, order[i] - order[j], 0) for i in range(4) for j in range(i)]
    assert sum(pairs) / 6 == pytest.approx(measure(geometry, TINY, 4, 2).mean_branch_kernel, abs=1e-5)


@pytest.mark.parametrize("encoding", ["replace", "offset"])
@pytest.mark.parametrize("placement", ["interleaved", "low", "high"])
def test_the_kernel_is_what_a_wired_model_s_rotary_module_makes_of_one_content(encoding, placement):
    settings = Settings(0.5, 7, encoding, placement)
    rotary = wired_model(settings=settings).model.rotary_emb
    phase = torch.rand(8, generator=torch.manual_seed(0)) * 2 * math.pi
    content = torch.cat((phase.cos(), phase.sin()))  # each pair of length 1, in a direction of its own
    coords = torch.tensor([[(2, 9), (1, 4), (4, 5)]])
    cosine, sine = rotary(content, coords)
    query, *keys = (content * cosine + rotate_half(content) * sine)[0]
    found = kernel(Geometry(0.5, placement, encoding, 7), rotary.inv_freq, 4, 8)
    for key, (branches, columns) in zip(keys, [(1, 5), (-2, 4)], strict=True):
        assert float(query @ key) / 8 == pytest.approx(between(found, branches, columns), abs=1e-5)


def test_pair_numbers_override_ratio_and_placement():
    named, chosen = Geometry(0.25, indices=(13, 14, 15, 16)), Geometry(0.25, "low")
    assert named.label == "pairs 13,14,15,16 replace 16"
    assert turns(named, TINY, 2, 3).equal(turns(chosen, TINY, 2, 3))


def test_nothing_is_told_of_one_branch():
    with pytest.raises(SettingsError, match="1 branches of 8 columns: phases are told of at least 2"):
        measure(Geometry(0.25), TINY, 1, 8)
