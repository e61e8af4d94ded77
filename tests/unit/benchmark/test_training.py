from dataclasses import replace

import pytest
import torch

from pmind.benchmark.training import (
    TrainingPlan,
    benchmark_training,
    branch_batch,
    causal_batch,
    causal_loss,
)
from pmind.errors import TrainingError
from pmind.models.settings import Settings
from pmind.training.batches import NO_LABEL
from pmind.training.loss import summed_loss
from pmind.visibility import columnar
from tests.tiny import VOCAB, stock_model, wired_model

TOKENS = torch.randint(1, VOCAB, (2, 24), generator=torch.Generator().manual_seed(0))


def plan_of(folder, **changes) -> TrainingPlan:
    plan = TrainingPlan(str(folder), ("columnar", "isolated", "dense"), (1, 4), tokens=24, rows=2, threads=1, repeats=2)
    return replace(plan, **changes)


def test_one_branch_is_the_causal_row():
    """What is timed against each other computes the same thing where it should."""
    batch, causal = branch_batch(TOKENS, 1, labels=20), causal_batch(TOKENS, labels=20)
    assert batch.labels.equal(causal.labels)
    wired = wired_model("llama_gqa", Settings(alignment="right", visibility="columnar"))
    expected = causal_loss(stock_model("llama_gqa"), causal)
    assert summed_loss(wired, batch, columnar).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("branches", [1, 3, 4, 8])
def test_every_batch_has_the_same_tokens_and_number_of_labels(branches):
    batch = branch_batch(TOKENS, branches, labels=16)
    assert batch.token_ids.sort().values.equal(TOKENS.sort().values)
    assert (batch.labels != NO_LABEL).sum(dim=1).tolist() == [16, 16]
    assert len(batch.coords[0, :, 0].unique()) == branches


def test_rows_of_a_run(folder):
    result = benchmark_training(plan_of(folder))
    expected = [("causal", 1)] + [(way, count) for count in (1, 4) for way in ("columnar", "isolated", "dense")]
    assert [(row.way, row.branches) for row in result.rows] == expected
    assert result.rows[0].ratio == 1
    for row in result.rows:
        assert row.tokens_per_s == pytest.approx(48 / row.seconds)
        assert row.peak_share * row.seconds == pytest.approx(result.rows[0].peak_share * result.rows[0].seconds)
    assert result.conditions["labels"] == 2 * 20


def test_autocast(folder):
    rows = benchmark_training(plan_of(folder, dtype="bfloat16", ways=("columnar",), branches=(4,), repeats=1)).rows
    assert [row.way for row in rows] == ["causal", "columnar"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ways": ("packed",)}, "unknown way 'packed'; use causal, columnar, isolated, dense"),
        ({"dtype": "float16"}, "training in 'float16' is not timed"),
        ({"branches": (2, 13)}, "a row of 24 tokens is cut into 1 to 12 branches"),
        ({"branches": ()}, "not none"),
    ],
)
def test_what_cannot_be_timed(changes, message, folder):
    with pytest.raises(TrainingError, match=message):
        benchmark_training(plan_of(folder, **changes))
