import pytest
import torch

from pmind.decoding.scoring import score
from pmind.errors import DecodingError
from pmind.models.settings import STOCK
from tests.groups import SHAPES, random_group
from tests.tiny import POSITIONS, wired_model

REQUEST = SHAPES["ordinary"].request


def test_one_list_of_candidates_a_prompt():
    with pytest.raises(DecodingError, match="3 prompts but continuations for 2"):
        score(wired_model(), STOCK, REQUEST, [[(1,)], [(2,)]])


def test_an_empty_candidate():
    with pytest.raises(DecodingError, match="cannot score an empty continuation"):
        score(wired_model(), STOCK, REQUEST, [[(1,)], [(2,), ()], []])


def test_candidates_that_do_not_fit():
    request = random_group(POSITIONS - 4, [3]).request
    assert len(score(wired_model(), STOCK, request, [[(1, 2)]])[0]) == 1
    with pytest.raises(DecodingError, match="positions"):
        score(wired_model(), STOCK, request, [[(1, 2, 3)]])


def test_all_one_token_continuations_sum_to_one():
    model = wired_model()
    scores = score(model, STOCK, REQUEST, [[(token,) for token in range(61)], [], []])
    assert float(torch.tensor(scores[0]).exp().sum()) == pytest.approx(1, abs=1e-5)
    assert scores[1:] == [[], []]


def test_sums_are_exact_in_bfloat16():
    """Log-probabilities of a bfloat16 model are summed in float32: a coarser sum would be a multiple of 1/16."""
    scores = score(wired_model(dtype=torch.bfloat16), STOCK, REQUEST, [[tuple(range(1, 9))], [], []])
    assert (scores[0][0] * 16) % 1 != 0
