import math

import pytest
import torch

from pmind.analysis.finished import FinishedGroup
from pmind.analysis.roles import ROLES, entropy, even_shares, find_readers, retrieval, role_shares, selectivity
from pmind.analysis.survey import COLUMN_BINS, FARTHEST, survey_heads
from pmind.analysis.weights import read_weights
from pmind.errors import DataError
from pmind.geometry import build_layout
from pmind.models.wiring import wire
from pmind.visibility import columnar, isolated
from tests.groups import SHAPES
from tests.unit.analysis.groups import COLUMNAR, OWN, model_of

LAYOUT = build_layout([9, 8], [[5, 6], [7]], [[9], [2]], alignment="right")
# flat: (0,0)9 (0,1)8 (1,2)5 (1,3)6 (2,3)7 (1,4)9 (2,4)2


def only(*places):
    """Weights of one head that reads these flat places, one a reader."""
    rows = torch.zeros(1, len(places), len(LAYOUT.token_ids))
    rows[0, range(len(places)), places] = 1
    return rows


def test_every_visible_key_has_one_role():
    readers = find_readers(LAYOUT, columnar, stop_id=0)
    assert readers.places.tolist() == [3, 4, 5, 6]
    assert readers.labels.tolist() == [9, 2, 0, 0]
    names = [[ROLES[role] if role >= 0 else "" for role in row] for row in readers.role.tolist()]
    assert names[0] == ["context", "context", "own", "self", "", "", ""]
    assert names[3] == ["context", "context", "siblings", "same_place", "own", "", "self"]


def test_shares_are_what_is_read_and_sum_to_one():
    readers = find_readers(LAYOUT, columnar, stop_id=0)
    shares = role_shares(only(0, 4, 2, 3), readers)
    assert shares[0].argmax(-1).tolist() == [ROLES.index(role) for role in ("context", "self", "own", "same_place")]
    even = even_shares(readers)
    torch.testing.assert_close(even.sum(-1), torch.ones(4))
    assert even[3].tolist() == pytest.approx([2 / 6, 1 / 6, 1 / 6, 1 / 6, 1 / 6])


def test_retrieval_looks_at_the_token_that_is_said_next():
    readers = find_readers(LAYOUT, columnar, stop_id=0)
    hits, known = retrieval(only(0, 0, 0, 0), readers)
    assert known.tolist() == [True, False, False, False]  # of 9, 2, stop, stop the context holds 9
    assert hits[0].tolist() == [True, False, False, False]
    assert not retrieval(only(1, 1, 1, 1), readers)[0].any()


def test_entropy_is_that_of_equal_parts():
    assert entropy(torch.full((1, 1, 4), 0.25))[0, 0].item() == pytest.approx(math.log(4))
    assert entropy(only(0, 0, 0, 0))[0, 0] == 0


def test_selectivity_is_zero_for_an_even_head_and_one_for_the_rarest_place():
    readers = find_readers(LAYOUT, columnar, stop_id=0)
    even = (readers.visible / readers.visible.sum(-1, keepdim=True))[None]
    by_column, by_branch, beside = selectivity(even, readers)
    assert by_column.abs().max() < 1e-6
    assert by_branch.abs().max() < 1e-6
    assert beside[0, 3].item() == pytest.approx(4 / 6)
    by_column, by_branch, _ = selectivity(only(2, 4, 2, 2), readers)
    assert by_column[0, 3].item() == pytest.approx(1)  # of columns 2, 3, 3, 4 the reader takes 2
    assert by_branch[0, 3].item() == pytest.approx(1)  # both branches have two tokens: either is the rarest


def test_an_isolated_head_picks_no_branch():
    readers = find_readers(LAYOUT, isolated, stop_id=0)
    weights = torch.rand(2, 4, 7) * readers.visible
    by_column, by_branch, _ = selectivity(weights / weights.sum(-1, keepdim=True), readers)
    assert not by_branch.any()
    assert by_column.any()


def test_a_survey_is_the_mean_over_all_readers():
    shapes = [SHAPES["ordinary"], SHAPES["one_token_prompts"]]
    groups = [FinishedGroup(shape.context, shape.prompts, shape.answers) for shape in shapes]
    model = wire(model_of("llama_gqa"), COLUMNAR)
    survey = survey_heads(model, COLUMNAR, groups, stop_id=0)
    shares = []
    for group in groups:
        layout = group.layout("right")
        readers = find_readers(layout, columnar, 0)
        kept = {}
        read_weights(model, COLUMNAR, layout, kept.__setitem__)
        shares.append(torch.stack([role_shares(kept[layer][:, readers.places], readers) for layer in (0, 1)]))
    expected = torch.cat(shares, dim=2).double().mean(2)
    torch.testing.assert_close(survey.shares, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(survey.maps.sum((-1, -2)), torch.ones(2, 4, dtype=torch.float64), atol=1e-5, rtol=0)
    torch.testing.assert_close(survey.maps[:, :, 0].sum(-1), survey.shares[:, :, 0], atol=1e-5, rtol=0)
    own = survey.maps[:, :, FARTHEST + 1]
    torch.testing.assert_close(own[:, :, 0], survey.shares[:, :, ROLES.index("self")], atol=1e-5, rtol=0)
    assert COLUMN_BINS[0] == 0
    assert survey.readers == sum(len(answer) + 1 for group in groups for answer in group.answers)


def test_isolated_heads_read_no_siblings():
    shape = SHAPES["ordinary"]
    groups = [FinishedGroup(shape.context, shape.prompts, shape.answers)]
    survey = survey_heads(wire(model_of("llama"), OWN), OWN, groups, stop_id=None)
    assert not survey.shares[:, :, ROLES.index("siblings") :].any()
    assert survey.shares[:, :, 0].all()


def test_groups_without_answers_are_refused():
    group = FinishedGroup((2, 3), ((4,),), ((),))
    with pytest.raises(DataError, match="no answers"):
        survey_heads(wire(model_of("llama"), OWN), OWN, [group], stop_id=None)
