from itertools import chain

import pytest
import torch

from pmind.decoding import scoring
from pmind.decoding.branches import GroupRequest
from pmind.decoding.scoring import Scored, score, score_candidates
from pmind.errors import DecodingError
from pmind.models.settings import STOCK, Settings
from tests.groups import SHAPES, random_group
from tests.reference import stock_logits
from tests.tiny import POSITIONS, stock_model, wired_model

REQUEST = SHAPES["ordinary"].request
LENGTHS = ((1, 9, 3), (4,), (2, 2, 17))
CANDIDATES = [list(random_group(0, list(lengths), seed=20).prompts) for lengths in LENGTHS]


def test_one_list_of_candidates_a_prompt():
    with pytest.raises(DecodingError, match="3 prompts but continuations for 2"):
        score(wired_model(), STOCK, REQUEST, [[(1,)], [(2,)]])


def test_an_empty_candidate():
    with pytest.raises(DecodingError, match="cannot score an empty continuation"):
        score(wired_model(), STOCK, REQUEST, [[(1,)], [(2,), ()], []])


def test_no_candidates():
    assert score_candidates(wired_model(), STOCK, REQUEST, [[], [], []]) == [[], [], []]


def test_candidates_that_do_not_fit():
    request = random_group(POSITIONS - 4, [3]).request
    assert len(score(wired_model(), STOCK, request, [[(1, 2)]])[0]) == 1
    with pytest.raises(DecodingError, match="positions"):
        score(wired_model(), STOCK, request, [[(1, 2, 3)]])


@pytest.mark.parametrize("alignment", ["own", "right"])
def test_a_long_prompt_leaves_room_for_its_siblings_candidates_unless_they_are_aligned(alignment):
    request = random_group(0, [POSITIONS - 3, 5]).request
    settings = Settings(alignment=alignment)
    candidates = [[(1, 2)], [(1, 2, 3, 4, 5, 6)]]
    if alignment == "own":
        alone = score(wired_model(), settings, GroupRequest((), request.prompts[1:]), candidates[1:])
        assert score(wired_model(), settings, request, candidates)[1] == pytest.approx(alone[0], abs=1e-4)
    else:
        with pytest.raises(DecodingError, match="positions"):
            score(wired_model(), settings, request, candidates)


def test_all_one_token_continuations_sum_to_one():
    model = wired_model()
    scores = score(model, STOCK, REQUEST, [[(token,) for token in range(61)], [], []])
    assert float(torch.tensor(scores[0]).exp().sum()) == pytest.approx(1, abs=1e-5)
    assert scores[1:] == [[], []]


def test_sums_are_exact_in_bfloat16():
    """Log-probabilities of a bfloat16 model are summed in float32: a coarser sum would be a multiple of 1/16."""
    scores = score(wired_model(dtype=torch.bfloat16), STOCK, REQUEST, [[tuple(range(1, 9))], [], []])
    assert (scores[0][0] * 16) % 1 != 0


def test_the_greedy_continuation_is_told_from_others(compiled):
    """Also from those that leave it at their first, a middle or their last token."""
    stock, candidates = stock_model(), []
    for prompt in REQUEST.prompts:
        text = [*REQUEST.context, *prompt]
        for _ in range(5):
            text.append(int(stock_logits(stock, text)[-1].argmax()))
        greedy = tuple(text[-5:])
        changed = [tuple((token + (step == place)) % 61 for step, token in enumerate(greedy)) for place in (0, 2, 4)]
        candidates.append([greedy[:1], *changed, greedy, changed[0][:1]])
    scored = score_candidates(wired_model(compiled=compiled), STOCK, REQUEST, candidates)
    assert [[each.greedy for each in texts] for texts in scored] == [[True, False, False, False, True, False]] * 3


def test_scores_are_those_of_the_scored_candidates():
    scored = score_candidates(wired_model(), STOCK, REQUEST, CANDIDATES)
    assert all(isinstance(each, Scored) for texts in scored for each in texts)
    expected = [[each.log_probability for each in texts] for texts in scored]
    assert score(wired_model(), STOCK, REQUEST, CANDIDATES) == expected


@pytest.mark.parametrize(("visibility", "alignment"), [("isolated", "own"), ("columnar", "right")])
@pytest.mark.parametrize("chunk", [1, 3, 8, 9])
def test_passes_of_any_size_give_the_same(monkeypatch, chunk, visibility, alignment, compiled):
    """Several candidates in a pass, one, or a piece of one; each reads what it read in a single pass."""
    settings = Settings(rope_2d_ratio=0.5, branch_stride=5, visibility=visibility, alignment=alignment)
    model = wired_model("qwen3", settings, compiled=compiled)
    whole = score_candidates(model, settings, REQUEST, CANDIDATES)
    fed = []
    logits = scoring._logits
    monkeypatch.setattr(scoring, "CHUNK", chunk)
    monkeypatch.setattr(scoring, "_logits", lambda *given: fed.append(len(out := logits(*given))) or out)
    pieces = score_candidates(model, settings, REQUEST, CANDIDATES)
    assert max(fed) <= chunk
    assert sum(fed) == sum(length - 1 for lengths in LENGTHS for length in lengths)
    for before, after in zip(chain(*whole), chain(*pieces), strict=True):
        assert after.log_probability == pytest.approx(before.log_probability, abs=5e-5)
        assert after.greedy == before.greedy
