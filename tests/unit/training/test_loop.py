import random

import pytest
import torch

from pmind.training.batches import Collator
from pmind.training.checkpoints import Checkpoints
from pmind.training.loop import train
from pmind.training.loss import summed_loss
from pmind.visibility import columnar
from tests.tiny import wired_model
from tests.unit.training.resumable import SETTINGS, random_sample

COLLATE = Collator("right", 0, 0)
SAMPLES = [random_sample(random.Random(seed)) for seed in range(3)]


def first_step(folder, parts):
    """Weights and recorded loss after one plain step of gradient descent on PARTS."""
    model = wired_model("llama", SETTINGS)
    batches = [COLLATE(part) for part in parts]
    optimizers = [torch.optim.SGD([{"params": list(model.parameters()), "peak_lr": 0.1}], lr=0.1)]
    checkpoints = Checkpoints(folder, "", 100)
    progress = train(
        model, lambda _: batches, columnar, optimizers, checkpoints, steps=1, warmup_steps=0, gradient_clip=0.0
    )
    return model.state_dict(), progress


def test_labels_weigh_the_same_in_every_part_of_a_step(tmp_path):
    """Two parts with 1 and 2 samples are one step of 3 samples, not the mean of two means."""
    together, whole = first_step(tmp_path / "whole", [SAMPLES])
    apart, parts = first_step(tmp_path / "parts", [SAMPLES[:1], SAMPLES[1:]])
    assert parts.losses == pytest.approx(whole.losses, rel=1e-5)
    assert parts.label_tokens == whole.label_tokens
    for name in together:
        torch.testing.assert_close(apart[name], together[name], rtol=0, atol=1e-5)


def test_the_recorded_loss_is_the_mean_over_label_tokens(tmp_path):
    batch = COLLATE(SAMPLES)
    with torch.no_grad():
        expected = summed_loss(wired_model("llama", SETTINGS), batch, columnar).item() / batch.label_tokens
    progress = first_step(tmp_path, [SAMPLES])[1]
    assert progress.losses == [pytest.approx(expected, rel=1e-5)]
    assert progress.label_tokens == [batch.label_tokens]
    assert progress.final_loss == progress.losses[0]
