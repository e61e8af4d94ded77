import pytest
import torch

from pmind.training.schedule import learning_rate_share


def shares(steps, warmup, **options):
    return torch.tensor([learning_rate_share(step, steps, warmup, **options) for step in range(steps)])


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("steps, warmup", [(100, 10), (100, 0), (1, 0), (5, 5), (3, 20)])
def test_the_rate_rises_then_falls_to_its_final_share(steps, warmup, schedule):
    rates = shares(steps, warmup, schedule=schedule)
    top = min(warmup, steps) - 1 if warmup else 0
    assert (rates[: top + 1].diff() > 0).all()
    assert (rates[top:].diff() < 0).all()
    assert 0 < rates.max() <= 1
    if warmup < steps and steps > 1:
        assert rates[-1] == pytest.approx(0.1)


def test_wsd_stays_and_falls_at_the_end():
    rates = shares(100, 10, schedule="wsd", decay_share=0.3, final_share=0.0)
    assert (rates[9:70] == 1).all()
    assert (rates[69:].diff() < 0).all()
    assert rates[-1] == 0


def test_wsd_without_decay_stays():
    assert (shares(20, 0, schedule="wsd", decay_share=0.0) == 1).all()


def test_a_cosine_is_above_the_line_first_and_below_it_later():
    wave, line = shares(101, 1, schedule="cosine"), shares(101, 1)
    assert (wave[1:50] > line[1:50]).all()
    assert (wave[52:-1] < line[52:-1]).all()
