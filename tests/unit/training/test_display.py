import io
import sys

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from pmind.benchmark.roofline import linear_weights
from pmind.training import display
from pmind.training.display import Pace
from pmind.training.flops import ModelFlops, count_flops
from pmind.training.objective import Share
from tests.tiny import KINDS, stock_model
from tests.unit.training.resumable import random_objective, run


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def slow_hardware(monkeypatch):
    monkeypatch.setattr(display, "measure_peak", lambda *_: 1e6)


@pytest.mark.usefixtures("slow_hardware")
def test_a_terminal_sees_loss_speed_utilisation_and_time_left(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    _, progress = run(tmp_path, random_objective())
    last = sys.stderr.getvalue().split("\r")[-1]
    assert f"loss {progress.losses[-1]:.3f}" in last
    assert "tokens/s" in last
    assert "% of peak" in last
    assert "8/8" in last


def test_a_pipe_sees_nothing_of_a_short_run(tmp_path, capsys, caplog):
    run(tmp_path, random_objective())
    assert capsys.readouterr().err == ""
    assert caplog.text == ""


@pytest.mark.usefixtures("slow_hardware")
def test_a_pipe_sees_a_line_now_and_then(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(display, "EVERY", 0.0)
    run(tmp_path, random_objective(), steps=2)
    lines = [record.message for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith("step 1 of 2, loss ")
    assert lines[1].endswith("of peak, 0:00:00 left")


@pytest.mark.usefixtures("slow_hardware")
def test_utilisation_is_the_models_arithmetic_over_the_peak():
    pace = Pace(ModelFlops(token=10, label=100, pair=2), torch.float32, Accelerator(cpu=True))
    pace.add(Share([], label_tokens=5, lengths=[10, 20]), 0.5)
    pace.add(Share([], label_tokens=5, lengths=[10, 20]), 1.5)
    assert pace.tokens_per_second == 30
    assert pace.utilisation == pytest.approx((10 * 30 + 100 * 5 + 250 * 2) / 1e6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_of_a_linear_layer_costs_six_operations(kind):
    flops = count_flops(stock_model(kind))
    assert flops.token + flops.label == 6 * linear_weights(stock_model(kind).config)
    assert flops.label == 6 * 61 * 32
    assert flops.pair == 12 * 2 * 4 * 16


def test_operations_are_those_that_torch_counts():
    """Forward and backward of the linear layers, for one sequence in which every token has a label."""
    from torch.utils.flop_counter import FlopCounterMode

    model = stock_model("llama", tie_word_embeddings=False)
    flops = count_flops(model)
    embedded = torch.randn(1, 10, 32, requires_grad=True)
    with FlopCounterMode(display=False) as counted:
        model(inputs_embeds=embedded).logits.sum().backward()
    scores = 10 * 10 * flops.pair  # eager attention computes all pairs, of which half are needed
    assert counted.get_total_flops() == flops.token * 10 + flops.label * 10 + scores


def test_frozen_weights_need_no_gradient():
    model = stock_model("llama").requires_grad_(False)
    assert count_flops(model).token == count_flops(stock_model("llama")).token * 2 // 3
    assert isinstance(model.get_output_embeddings(), nn.Linear)
