import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pmind.errors import LayoutError
from pmind.geometry import PADDING
from pmind.visibility import VISIBILITIES, columnar, dense_mask, isolated, resolve_alignment

# context of two tokens, branches 1 and 2 with columns 2 and 3
TOKENS = [(0, 0), (0, 1), (1, 2), (2, 2), (1, 3), (2, 3)]
COLUMNAR = ["100000", "110000", "111000", "110100", "111110", "111101"]
ISOLATED = ["100000", "110000", "111000", "110100", "111010", "110101"]


def rows(mask):
    return ["".join(str(int(cell)) for cell in row) for row in mask]


@pytest.mark.parametrize(("rule", "table"), [(columnar, COLUMNAR), (isolated, ISOLATED)])
def test_truth_tables(rule, table):
    coords = torch.tensor([TOKENS])
    mask = dense_mask(rule, coords, coords)
    assert mask.dtype == torch.bool
    assert rows(mask[0]) == table


@given(
    tokens=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=12, unique=True),
    name=st.sampled_from(list(VISIBILITIES)),
)
def test_against_the_words_of_the_design(tokens, name):
    coords = torch.tensor([tokens])
    mask = dense_mask(VISIBILITIES[name], coords, coords)[0]
    for query, (branch, column) in enumerate(tokens):
        for key, (key_branch, key_column) in enumerate(tokens):
            earlier = key_column < column and (name == "columnar" or key_branch in (0, branch))
            assert mask[query, key] == (earlier or query == key)


@pytest.mark.parametrize("rule", VISIBILITIES.values())
def test_padding_is_seen_by_padding_alone(rule):
    coords = torch.tensor([[*TOKENS, (PADDING, PADDING), (PADDING, PADDING)]])
    mask = dense_mask(rule, coords, coords)[0]
    assert not mask[:6, 6:].any()
    assert not mask[6:, :6].any()
    assert mask[6:, 6:].all()


@pytest.mark.parametrize(
    ("alignment", "visibility", "resolved"),
    [
        ("auto", "columnar", "right"),
        ("auto", "isolated", "own"),
        ("left", "columnar", "left"),
        ("right", "isolated", "right"),
        ("own", "isolated", "own"),
    ],
)
def test_alignment_defaults(alignment, visibility, resolved):
    assert resolve_alignment(alignment, visibility) == resolved


def test_own_is_refused_when_columnar():
    with pytest.raises(LayoutError, match="'own' needs visibility 'isolated'"):
        resolve_alignment("own", "columnar")


def test_unknown_alignment():
    with pytest.raises(LayoutError, match="unknown alignment 'centre'; use auto, own, right, left"):
        resolve_alignment("centre", "isolated")
