import math
import random
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from pmind.errors import TrainingError
from pmind.models.wiring import forward
from pmind.training.loss import summed_loss
from pmind.training.objective import Step
from pmind.training.optimizer import build_optimizers, set_learning_rates
from pmind.training.parts import Part
from pmind.training.schedule import learning_rate_share
from pmind.visibility import columnar, dense_mask
from tests.tiny import KINDS, wired_model
from tests.unit.training.resumable import COLLATE, RATES, SETTINGS, TRAINING, random_objective, random_sample, run

SAMPLES = [random_sample(random.Random(seed), 6 + seed) for seed in range(3)]


def first_step(folder, parts, kind="llama", dropout=0.0, **options):
    """Weights and recorded progress after one step on PARTS."""
    model = wired_model(kind, SETTINGS, attention_dropout=dropout)
    step = Step([Part(part) for part in parts], COLLATE)
    model, progress = run(folder, lambda _: step, steps=1, model=model, **options)
    return model.state_dict(), progress


def same_gradients(one, other, rel=1e-5):
    """Whether two runs' first gradients have one norm, clipped or not."""
    return one.gradient_norms == pytest.approx(other.gradient_norms, rel=rel)


def test_labels_weigh_the_same_in_every_part_of_a_step(tmp_path):
    """Two parts with 1 and 2 samples are one step of 3 samples, not the mean of two means."""
    adamw = replace(TRAINING, optimizer="adamw")
    together, whole = first_step(tmp_path / "whole", [SAMPLES], training=adamw)
    apart, parts = first_step(tmp_path / "parts", [SAMPLES[:1], SAMPLES[1:]], training=adamw)
    assert parts.losses == pytest.approx(whole.losses, rel=1e-5)
    assert same_gradients(parts, whole)
    assert parts.label_tokens == whole.label_tokens
    for name in together:
        torch.testing.assert_close(apart[name], together[name], rtol=0, atol=1e-5)


def test_the_recorded_loss_is_the_mean_over_label_tokens(tmp_path):
    batch = COLLATE(SAMPLES)
    with torch.no_grad():
        expected = summed_loss(wired_model("llama", SETTINGS), batch, columnar, "dense").item() / batch.label_tokens
    progress = first_step(tmp_path, [SAMPLES])[1]
    assert progress.losses == [pytest.approx(expected, rel=1e-5)]
    assert progress.label_tokens == [batch.label_tokens]
    assert progress.tokens == [sum(map(len, SAMPLES))]
    assert progress.final_loss == progress.losses[0]


def test_a_run_is_what_a_plain_loop_computes(tmp_path):
    """No rounding apart: the pipeline's own results rest on it."""
    trained, progress = run(tmp_path, random_objective(part_tokens=24), dropout=0.0)
    model, losses = wired_model("llama", SETTINGS).train(), []
    optimizers = build_optimizers(model, learning_rate=1e-3, matrix_learning_rate=1e-2, weight_decay=0.01)
    for step in range(RATES.steps):
        set_learning_rates(optimizers, learning_rate_share(step, RATES.steps, RATES.warmup_steps))
        batches = [COLLATE(part.samples) for part in random_objective(part_tokens=24)(step).parts]
        labels = sum(batch.label_tokens for batch in batches)
        parts = [summed_loss(model, batch, columnar, "dense") / labels for batch in batches]
        for part in parts:
            part.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(sum(part.item() for part in parts))
    assert len(batches) == 2
    assert progress.losses == losses
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, trained.state_dict()[name]), name


@pytest.mark.parametrize("padding", ["step", "fixed"])
def test_padding_changes_nothing(tmp_path, padding):
    draws = [lambda *_: SAMPLES for _ in range(2)]
    bucket = run(tmp_path / "bucket", random_objective(draws[0], 64), steps=1, dropout=0.0)[1]
    padded = run(tmp_path / "padded", random_objective(draws[1], 64, padding), steps=1, dropout=0.0)[1]
    assert padded.losses == pytest.approx(bucket.losses, rel=1e-5)
    assert same_gradients(padded, bucket)


@pytest.mark.parametrize("attention", ["dense", "blocks"])
@pytest.mark.parametrize("kind", KINDS)
def test_recomputing_activations_leaves_the_gradient(tmp_path, kind, attention):
    kept = replace(TRAINING, attention=attention)
    plain, before = first_step(tmp_path / "kept", [SAMPLES], kind, training=kept)
    again = replace(kept, gradient_checkpointing=True)
    recomputed, after = first_step(tmp_path / "again", [SAMPLES], kind, training=again)
    assert same_gradients(after, before, rel=1e-6)
    for name in plain:
        torch.testing.assert_close(recomputed[name], plain[name], rtol=0, atol=1e-6)


def test_activations_are_recomputed_in_training_alone(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(
        "transformers.modeling_layers.GradientCheckpointingLayer.__call__",
        lambda self, *rest, **named: (
            calls.append(self.gradient_checkpointing) or torch.nn.Module.__call__(self, *rest, **named)
        ),
    )
    model, _ = run(tmp_path, random_objective(), steps=1, training=replace(TRAINING, gradient_checkpointing=True))
    assert calls == [True] * model.config.num_hidden_layers
    assert not model.is_gradient_checkpointing
    assert not model.training


def test_bfloat16_trains_float32_weights(tmp_path):
    dtypes = []

    def noted(model, batch):
        seen = dense_mask(columnar, batch.coords, batch.coords)
        dtypes.append(forward(model, batch.token_ids, batch.coords, seen).dtype)
        return summed_loss(model, batch, columnar, "dense")

    half = replace(TRAINING, dtype="bfloat16")
    weights, progress = first_step(tmp_path / "half", [SAMPLES], training=half, loss=noted)
    assert dtypes == [torch.bfloat16]
    assert {weight.dtype for weight in weights.values()} == {torch.float32}
    exact = first_step(tmp_path / "exact", [SAMPLES])[1]
    assert progress.losses[0] != exact.losses[0]
    assert progress.losses == pytest.approx(exact.losses, rel=2e-2)


def test_hooks_are_asked_for_every_step_and_part(tmp_path):
    order = []

    def loss(model, batch):
        order.append("part")
        return 2 * summed_loss(model, batch, columnar, "dense")

    objective = random_objective(part_tokens=24)
    doubled = run(tmp_path / "hooked", objective, steps=3, loss=loss, before_step=order.append)[1]
    assert order == [0, "part", "part", 1, "part", "part", 2, "part", "part"]
    plain = run(tmp_path / "plain", objective, steps=3)[1]
    assert doubled.losses[0] == pytest.approx(2 * plain.losses[0])


def test_a_clip_of_zero_leaves_the_gradient(tmp_path):
    free = run(tmp_path / "free", random_objective(), steps=2, gradient_clip=0.0)
    wide = run(tmp_path / "wide", random_objective(), steps=2, gradient_clip=1e9)
    assert free[1].gradient_norms == wide[1].gradient_norms
    assert all(torch.equal(weight, wide[0].state_dict()[name]) for name, weight in free[0].state_dict().items())


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_and_keeps_its_batch(tmp_path, wrong):
    def loss(model, batch):
        spoilt = wrong if batch.token_ids.shape[1] == 24 else 1.0
        return summed_loss(model, batch, columnar, "dense") * spoilt

    with pytest.raises(TrainingError, match=rf"step 1: the loss is {wrong}.*Lower learning_rate"):
        first_step(tmp_path / "new" / "run", [SAMPLES[:1], SAMPLES[1:]], loss=loss)
    saved = load_file(tmp_path / "new" / "run-step-1-rank-0.safetensors")
    assert sorted(saved) == ["part_1.coords", "part_1.labels", "part_1.token_ids"]
    assert torch.equal(saved["part_1.token_ids"], COLLATE(SAMPLES[:1]).token_ids)
    assert not (tmp_path / "new" / "run").exists()


def test_a_gradient_that_is_no_number_stops(tmp_path):
    def loss(model, batch):
        value = summed_loss(model, batch, columnar, "dense")
        return value + (value - value.detach()).abs().sqrt()  # sqrt has no slope at 0

    with pytest.raises(TrainingError, match=r"step 1: the loss is [0-9.]+ and its gradient's norm nan"):
        first_step(tmp_path / "run", [SAMPLES], loss=loss)
    assert (tmp_path / "run-step-1-rank-0.safetensors").exists()
