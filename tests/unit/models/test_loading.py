import json
import shutil
from pathlib import Path

import pytest
import torch

from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import ModelError, SettingsError
from pmind.models import adapters, loading
from pmind.models.loading import base_folder, load_model, load_tokenizer, resolve_folder, settings_of
from pmind.models.presets import PRESETS, preset_config
from pmind.models.settings import STOCK, Settings, save_settings
from pmind.models.wiring import wire
from tests.groups import SHAPES
from tests.reference import dense_logits
from tests.tiny import build_word_tokenizer, random_model, stock_model, wired_model
from tests.unit.models import adapted

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


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A folder with a base model, an adapter of it and an adapter of that adapter, named from the folder."""
    folder = tmp_path_factory.mktemp("project")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        adapted.write_base(folder / "models" / "base")
        adapted.trained_adapter("models/base", folder / "models" / "squad")
        adapted.trained_adapter("models/squad", folder / "models" / "cmb", dora=True)
    return folder


@pytest.fixture
def models(project, tmp_path):
    """Copies of them, to be damaged."""
    return shutil.copytree(project / "models", tmp_path / "models")


def test_an_adapter_finds_its_base_from_anywhere(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    assert base_folder(models / "squad") == models / "base"
    monkeypatch.chdir(models)
    assert base_folder(Path("squad")).samefile(models / "base")


def test_of_two_bases_of_one_name_the_one_trained_on_is_taken(models, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    random_model(stock_model("qwen3").config).save_pretrained(elsewhere / "models" / "base")
    monkeypatch.chdir(elsewhere)
    assert base_folder(models / "squad") == models / "base"


@pytest.mark.filterwarnings("error::UserWarning", "error::FutureWarning")
def test_an_adapter_of_an_adapter(models, project, monkeypatch):
    monkeypatch.chdir(project)
    batch = adapted.fixed_batch(adapted.words())
    trained = adapted.adapter_of("models/squad", dora=True)
    assert trained.active_peft_config.base_model_name_or_path == "models/squad"
    adapted.train_steps(trained, batch)
    loaded, settings = load_model(models / "cmb")
    assert settings == adapted.SETTINGS
    adapted.assert_same(loaded, adapted.logits(trained, batch), batch)


def test_a_base_that_was_trained_again_is_noticed(models):
    random_model(stock_model("qwen3").config).save_pretrained(models / "base")
    with pytest.raises(
        ModelError, match=r"squad: its base model .*base has other weights than those it was trained on"
    ):
        load_model(models / "cmb")


def test_a_base_that_is_gone_is_named(models, tmp_path):
    shutil.rmtree(models / "base")
    with pytest.raises(
        ModelError, match=r"squad: its base model is missing\. models/base: no such folder, .*where it is"
    ):
        load_model(models / "squad")


def name_base(adapter, name, **changes):
    config = adapter / adapters.CONFIG
    values = json.loads(config.read_text(encoding="utf-8")) | {"base_model_name_or_path": name} | changes
    config.write_text(json.dumps(values), encoding="utf-8")


def test_an_adapter_is_not_its_own_base(models):
    (models / "squad" / adapters.BASE).unlink()
    for name in (str(models / "squad"), "."):
        name_base(models / "squad", name)
        with pytest.raises(ModelError, match="squad: it names itself as its base model"):
            load_model(models / "squad")


def test_adapter_and_base_from_the_hub(models, monkeypatch):
    asked = []

    def download(name, revision, allow_patterns):
        asked.append((name, revision))
        snapshot = models / name.removeprefix("owner/")
        assert all(any(file.match(pattern) for pattern in allow_patterns) for file in snapshot.iterdir())
        return str(snapshot)

    monkeypatch.setattr(loading, "snapshot_download", download)
    name_base(models / "squad", "owner/base", revision="v2")
    assert load_model("owner/squad")[1] == adapted.SETTINGS
    assert set(asked) == {("owner/squad", None), ("owner/base", "v2")}


def test_adapters_trained_elsewhere(models):
    """Without our files: any weights of the base will do, its settings and tokenizer are the adapter's."""
    for name in (adapters.BASE, "pmind.json", "tokenizer.json", "tokenizer_config.json"):
        (models / "squad" / name).unlink()
    assert settings_of(models / "squad") is None
    assert load_model(models / "squad")[1] == STOCK
    assert load_tokenizer(models / "squad").eos_token == "w1"
    save_settings(models / "base", TRAINED)
    assert load_model(models / "squad")[1] == TRAINED
    random_model(stock_model("llama_gqa").config).save_pretrained(models / "base")
    load_model(models / "squad")
