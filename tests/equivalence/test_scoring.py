"""DESIGN 5.8: scores of all candidates in one pass are those of each candidate scored on its own."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pmind.decoding.branches import GroupRequest
from pmind.decoding.scoring import score
from pmind.geometry import build_layout
from pmind.models.settings import STOCK, Settings
from tests.groups import SHAPES, any_group, random_group
from tests.reference import LEGAL, dense_logits, places, stock_logits
from tests.tiny import KINDS, stock_model, wired_model

TOLERANCE = 5e-5  # nats, over up to 5 tokens with logits right to 1e-5 each


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_isolated_scores_are_those_of_a_stock_model(kind, shape, compiled):
    _check_stock(stock_model(kind), wired_model(kind, compiled=compiled), SHAPES[shape], _candidates(SHAPES[shape]))


@given(group=any_group(), seed=st.integers(0, 99))
def test_any_group(group, seed, compiled):
    _check_stock(stock_model(), wired_model(compiled=compiled), group, _candidates(group, seed))


def test_pretrained(stories_decoder, stories_stock):
    group = SHAPES["ordinary"]
    _check_stock(stories_stock, stories_decoder.model, group, _candidates(group))


@pytest.mark.parametrize("encoding", ["replace", "offset"])
@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_against_a_hand_built_group(visibility, alignment, encoding, compiled):
    """Every candidate put alone into a full forward: all prompts are there, no other candidate is."""
    settings = Settings(
        rope_2d_ratio=0.5, branch_stride=5, branch_encoding=encoding, alignment=alignment, visibility=visibility
    )
    model, reference = wired_model("qwen3", settings, compiled=compiled), wired_model("qwen3", settings)
    group = SHAPES["ordinary"]
    numbers, candidates = (4, 1, 7), _candidates(group)
    scores = score(model, settings, GroupRequest(group.context, group.prompts, numbers), candidates)
    for branch, texts in enumerate(candidates):
        for place, tokens in enumerate(texts):
            answers = [tokens if other == branch else () for other in range(len(numbers))]
            layout = build_layout(group.context, group.prompts, answers, alignment=alignment, numbers=numbers)
            logits = dense_logits(reference, settings, layout)[places(layout, numbers[branch])]
            assert scores[branch][place] == pytest.approx(_likelihood(logits, tokens), abs=TOLERANCE)


def test_one_token_candidates_need_no_second_pass(compiled):
    group = SHAPES["ordinary"]
    _check_stock(stock_model(), wired_model(compiled=compiled), group, [[(5,), (6,)], [(7,)], []])


def _candidates(group, seed: int = 9) -> list[list[tuple[int, ...]]]:
    """Three candidates a branch, of 1, 3 and 5 tokens; the last two begin alike."""
    candidates = []
    for branch in range(len(group.prompts)):
        one, three, two = random_group(0, [1, 3, 2], seed=seed + branch).prompts
        candidates.append([one, three, three + two])
    return candidates


def _check_stock(stock, wired, group, candidates) -> None:
    scores = score(wired, STOCK, group.request, candidates)
    assert [len(texts) for texts in scores] == [len(texts) for texts in candidates]
    for prompt, texts, branch_scores in zip(group.prompts, candidates, scores, strict=True):
        for tokens, actual in zip(texts, branch_scores, strict=True):
            logits = stock_logits(stock, [*group.context, *prompt, *tokens])
            assert actual == pytest.approx(_likelihood(logits, tokens), abs=TOLERANCE)


def _likelihood(logits: torch.Tensor, tokens) -> float:
    """Of the last tokens of a sequence with logits ``[T, V]``."""
    steps = logits[-len(tokens) - 1 : -1].log_softmax(dim=-1)
    return float(steps.gather(1, torch.tensor(tokens)[:, None]).sum())
