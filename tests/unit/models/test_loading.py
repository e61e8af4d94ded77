import shutil

import pytest
import torch

from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import ModelError, SettingsError
from pmind.models.loading import load_model, load_tokenizer, resolve_folder
from pmind.models.presets import PRESETS, preset_config
from pmind.models.settings import STOCK, Settings, save_settings
from pmind.models.wiring import wire
from tests.groups import SHAPES
from tests.reference import dense_logits
from tests.tiny import build_word_tokenizer, random_model, stock_model, wired_model

TRAINED = Settings(rope_2d_ratio=0.5, branch_stride=5, visibility="columnar", alignment="right")


@pytest.fixture
def checkpoint(tmp_path):
    stock_model().save_pretrained(tmp_path)
    build_word_tokenizer().save_pretrained(tmp_path)
    save_settings(tmp_path, TRAINED)
    return tmp_path


def test_a_checkpoint_is_wired_as_it_was_trained(checkpoint):
    model, settings = load_model(checkpoint)
    assert settings == TRAINED
    assert not model.training
    layout = SHAPES["ordinary"].layout("right")
    expected = dense_logits(wired_model(settings=TRAINED), TRAINED, layout)
    assert dense_logits(model, settings, layout).equal(expected)


def test_a_wired_model_saves_as_a_stock_one(checkpoint, tmp_path):
    model, _ = load_model(checkpoint)
    model.save_pretrained(tmp_path / "again")
    reloaded = type(model).from_pretrained(tmp_path / "again", attn_implementation="eager")
    assert all(first.equal(second) for first, second in zip(model.parameters(), reloaded.parameters(), strict=True))
    assert load_model(tmp_path / "again")[1] == STOCK


def test_other_settings_are_refused_unless_overridden(checkpoint):
    with pytest.raises(SettingsError, match=r"rope_2d_ratio 0\.5, but 0\.25"):
        ParallelDecoder.from_pretrained(checkpoint, rope_2d_ratio=0.25)
    decoder = ParallelDecoder.from_pretrained(checkpoint, rope_2d_ratio=0.25, override=True)
    assert decoder.settings.rope_2d_ratio == 0.25
    assert len(decoder.model.model.rotary_emb.pairs) == 2


def test_dtypes(checkpoint):
    assert load_model(checkpoint, dtype="bfloat16")[0].dtype == torch.bfloat16
    assert load_model(checkpoint, dtype="bfloat16")[0].model.rotary_emb.inv_freq.dtype == torch.float32
    with pytest.raises(ModelError, match="unknown dtype 'int8'; use float32"):
        load_model(checkpoint, dtype="int8")


def test_folders_that_hold_no_model(tmp_path, checkpoint):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"empty: not a model folder \(no config.json\)"):
        load_model(tmp_path / "empty")
    shutil.copytree(checkpoint, tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors", "bare", "empty"))
    with pytest.raises(ModelError, match="bare: no weights"):
        load_model(tmp_path / "bare")
    with pytest.raises(ModelError, match="not found on the Hub"):
        resolve_folder("no/such-model")
    with pytest.raises(ModelError, match="not found on the Hub"):
        resolve_folder("no such/../folder")


def test_broken_files(checkpoint):
    (checkpoint / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(checkpoint)
    (checkpoint / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(checkpoint)


def test_a_folder_without_tokenizer(tmp_path):
    stock_model().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="no usable tokenizer"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_keep_branches_apart_at_the_default_settings(name, caplog):
    config = preset_config(name, vocab_size=61, eos_token_id=1, pad_token_id=0)
    config.num_hidden_layers, config.intermediate_size = 1, 8
    wire(random_model(config), Settings(rope_2d_ratio=0.25, branch_stride=16))
    assert not caplog.records
