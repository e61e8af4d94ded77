import dataclasses

import pytest

from pmind.corpora.tokenizer import train_tokenizer
from pmind.errors import ModelError, SettingsError
from pmind.models.loading import load_model
from pmind.models.settings import save_settings
from pmind.training.start import load_for_training, save_trained, start_model
from tests.tiny import stock_model
from tests.unit.models.adapted import (
    SETTINGS,
    adapter_of,
    assert_same,
    fixed_batch,
    logits,
    train_steps,
    trained_adapter,
    words,
    write_base,
)


@pytest.fixture
def base(tmp_path):
    return write_base(tmp_path / "base")


def changed(**changes):
    return dataclasses.replace(SETTINGS, **changes)


@pytest.mark.parametrize("settings", [SETTINGS, changed(visibility="isolated", rope_2d_ratio=0.5)])
def test_a_stock_model_is_fine_tuned_for_any_settings(base, settings):
    model = load_for_training(base, settings)
    assert len(model.model.rotary_emb.pairs) == settings.rope_2d_ratio * 8
    assert model.model.rotary_emb.stride == settings.branch_stride


def test_a_model_that_pmind_trained_keeps_its_settings(base):
    save_settings(base, SETTINGS)
    load_for_training(base, changed(prompt_template={"answer": " {answer}"}, trained_branches=(1, 8)))
    with pytest.raises(SettingsError, match=r"base was made for rope_2d_ratio 0\.25, but 0\.5"):
        load_for_training(base, changed(rope_2d_ratio=0.5))
    with pytest.raises(SettingsError, match="visibility columnar, but isolated"):
        load_for_training(base, changed(visibility="isolated", alignment="own"))


def test_a_model_trained_without_a_branch_axis_takes_one(base):
    save_settings(base, changed(rope_2d_ratio=0.0))
    assert load_for_training(base, SETTINGS).model.rotary_emb.pairs


def test_an_adapter_keeps_the_settings_it_was_trained_for(base, tmp_path):
    adapted = trained_adapter(base, tmp_path / "adapter")
    batch = fixed_batch(words())
    assert_same(load_for_training(tmp_path / "adapter", SETTINGS), logits(adapted, batch), batch)
    with pytest.raises(SettingsError, match="branch_stride 16, but 1"):
        load_for_training(tmp_path / "adapter", changed(branch_stride=1))


def test_pretraining_goes_on_from_any_model(base, tmp_path):
    batch = fixed_batch(words())
    adapted = trained_adapter(base, tmp_path / "adapter")
    assert_same(start_model(str(tmp_path / "adapter"), words(), SETTINGS), logits(adapted, batch), batch)
    with pytest.raises(SettingsError, match=r"rope_2d_ratio 0\.25, but 0\.5"):
        start_model(str(tmp_path / "adapter"), words(), changed(rope_2d_ratio=0.5))
    assert start_model(str(base), words(), SETTINGS).model.rotary_emb.pairs


def test_the_tokenizer_must_fit_the_model(base):
    larger = train_tokenizer(["once upon a time"] * 3, 270)
    with pytest.raises(ModelError, match=r"base: 61 embeddings but 2\d\d tokens"):
        start_model(str(base), larger, SETTINGS)


def test_a_folder_may_hold_a_model_then_an_adapter_then_a_model(base, tmp_path):
    """Nothing of the one before is read."""
    out, batch = tmp_path / "out", fixed_batch(words())
    save_trained(out, load_for_training(base, SETTINGS), words(), SETTINGS)
    adapted = trained_adapter(base, out)
    assert not (out / "config.json").exists()
    assert_same(load_model(out)[0], logits(adapted, batch), batch)
    full = load_for_training(write_base(tmp_path / "other", "qwen3"), SETTINGS)
    save_trained(out, full, words(), SETTINGS)
    assert logits(load_model(out)[0], batch).equal(logits(full, batch))
    assert not list(out.glob("adapter_*"))


def test_an_adapter_never_replaces_its_base(base):
    adapted = adapter_of(base)
    train_steps(adapted, fixed_batch(words()), steps=1)
    with pytest.raises(ModelError, match="an adapter cannot replace the base model it needs"):
        save_trained(base, adapted, words(), SETTINGS)
    assert all(
        weight.equal(expected)
        for weight, expected in zip(load_model(base)[0].parameters(), stock_model().parameters(), strict=True)
    )
