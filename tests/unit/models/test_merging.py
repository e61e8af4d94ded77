import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from pmind.models.loading import load_model
from pmind.models.merging import plain_folder, write_plain
from pmind.models.settings import load_settings
from tests.unit.models.adapted import SETTINGS, fixed_batch, logits, trained_adapter, words, write_base


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("merging")
    trained_adapter(write_base(folder / "base"), folder / "adapter")
    return folder / "adapter"


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_plain_folder_is_a_stock_model_with_settings(adapter, tmp_path, dtype):
    write_plain(adapter, tmp_path / "plain", dtype)
    stock = AutoModelForCausalLM.from_pretrained(tmp_path / "plain", dtype="auto")
    merged, _ = load_model(adapter, dtype=dtype)
    for weight, expected in zip(stock.parameters(), merged.parameters(), strict=True):
        assert weight.equal(expected)
        assert weight.dtype == expected.dtype
    assert load_settings(tmp_path / "plain") == SETTINGS
    assert stock.generation_config.eos_token_id == words().eos_token_id
    assert AutoTokenizer.from_pretrained(tmp_path / "plain").get_vocab() == words().get_vocab()
    assert not list((tmp_path / "plain").glob("adapter*"))


def test_a_stock_base_stays_stock_under_an_adapter_trained_elsewhere(tmp_path):
    trained_adapter(write_base(tmp_path / "base"), tmp_path / "adapter")
    (tmp_path / "adapter" / "pmind.json").unlink()
    write_plain(tmp_path / "adapter", tmp_path / "plain", "float32")
    assert not (tmp_path / "plain" / "pmind.json").exists()


def test_a_plain_model_is_used_where_it_is(adapter):
    with plain_folder(adapter.parent / "base") as folder:
        assert folder == adapter.parent / "base"


def test_an_adapters_plain_folder_goes_away(adapter):
    batch = fixed_batch(words())
    with plain_folder(adapter) as folder:
        assert (folder / "model.safetensors").is_file()
        assert logits(load_model(folder)[0], batch).equal(logits(load_model(adapter)[0], batch))
    assert not folder.exists()
