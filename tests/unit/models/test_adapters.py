"""LoRA on random models of every family and on a small pretrained one: learn, save, load, merge."""

import json
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import ModelError
from pmind.models import adapters
from pmind.models.adapters import start_adapter, weights_digest
from pmind.models.loading import load_model, load_tokenizer
from pmind.models.merging import write_plain
from pmind.models.wiring import wire
from pmind.training.batches import TrainingBatch
from pmind.training.start import save_trained
from tests.tiny import stock_model
from tests.unit.models.adapted import (
    FAMILIES,
    LORA,
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


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A random stock model; its query and key projections are not square."""
    return write_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def batch() -> TrainingBatch:
    return fixed_batch(words())


@pytest.fixture
def adapter(base, tmp_path) -> Path:
    trained_adapter(base, tmp_path / "adapter")
    return tmp_path / "adapter"


def learn_and_reload(base, folder, **changes):
    """The whole way; every check that every model has to pass."""
    tokenizer = load_tokenizer(base)
    batch = fixed_batch(tokenizer)
    model = adapter_of(base, **changes)
    frozen = {name: weight.clone() for name, weight in model.named_parameters() if not weight.requires_grad}
    untrained = logits(model, batch)
    losses = train_steps(model, batch)
    assert losses[-1] < losses[0] - 0.1
    assert all(weight.equal(frozen[name]) for name, weight in model.named_parameters() if name in frozen)
    assert all(weight.grad is None for name, weight in model.named_parameters() if name in frozen)

    save_trained(folder / "adapter", model, tokenizer, SETTINGS)
    expected = logits(model, batch)
    assert (expected - untrained).abs().max() > 1e-2
    loaded, settings = load_model(folder / "adapter")
    assert settings == SETTINGS
    assert not isinstance(loaded, PeftModel)
    assert_same(loaded, expected, batch)
    write_plain(folder / "adapter", folder / "plain", "float32")
    merged, settings = load_model(folder / "plain")
    assert settings == SETTINGS
    assert logits(merged, batch).equal(logits(loaded, batch))
    return model


@pytest.mark.parametrize("kind", FAMILIES)
def test_random_models_learn_and_reload(kind, tmp_path):
    model = learn_and_reload(write_base(tmp_path / "base", kind), tmp_path)
    adapted = {name.split(".")[-4] for name, weight in model.named_parameters() if weight.requires_grad}
    assert adapted == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}  # not the head
    assert {weight.dtype for weight in model.parameters() if weight.requires_grad} == {torch.float32}


@pytest.mark.parametrize(
    "changes", [{"rank_stabilised": True}, {"dora": True}, {"target_modules": "down_proj, q_proj"}]
)
def test_variants_learn_and_reload(base, changes, tmp_path):
    learn_and_reload(base, tmp_path, **changes)


def test_a_pretrained_model_learns_and_reloads(stories_path, tmp_path):
    learn_and_reload(stories_path, tmp_path)


def test_a_new_adapter_changes_nothing(base, batch):
    plain = wire(stock_model(), SETTINGS)
    assert_same(adapter_of(base), logits(plain, batch), batch)


def test_equal_seeds_start_alike_and_others_do_not(base):
    first, again = ({name: w for name, w in adapter_of(base).named_parameters() if "lora_A" in name} for _ in range(2))
    assert all(weight.equal(again[name]) for name, weight in first.items())
    torch.manual_seed(2)
    other = dict(start_adapter(load_model(base)[0], base, **LORA).named_parameters())
    assert not any(weight.equal(other[name]) for name, weight in first.items())


def test_the_scale_is_that_of_the_parameters(base):
    def scale(**changes):
        return adapter_of(base, **changes).base_model.model.model.layers[0].mlp.down_proj.scaling["default"]

    assert scale() == 2.0
    assert scale(rank_stabilised=True) == 4.0
    assert scale(rank=2, alpha=3.0) == 1.5


def test_dora_learns_a_magnitude_for_each_output(base):
    def magnitudes(dora):
        named = adapter_of(base, dora=dora).named_parameters()
        return [tuple(w.shape) for name, w in named if "magnitude" in name and w.requires_grad]

    assert (len(magnitudes(True)), magnitudes(False)) == (2 * 7, [])
    assert magnitudes(True)[0] == (64,)  # of a query projection


def test_dropout_is_for_training_only(base, batch):
    model = adapter_of(base, dropout=0.1)
    losses = train_steps(model, batch)
    assert losses[-1] < losses[0] - 0.1
    assert logits(model, batch).equal(logits(model, batch))
    model.train()
    assert not logits(model, batch).equal(logits(model, batch))


def test_an_adapter_of_a_half_precision_model_is_float32(base):
    model, _ = load_model(base, dtype="bfloat16")
    adapted = start_adapter(model, base, **LORA)
    assert {weight.dtype for weight in adapted.parameters() if weight.requires_grad} == {torch.float32}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("q_proj,kproj", "no linear layer 'kproj' .* did you mean k_proj"),
        ("lm_head", "no linear layer 'lm_head' that can be adapted"),
        ("embed_tokens", "all-linear takes down_proj, gate_proj, k_proj"),
        (",", "no linear layer ','"),
    ],
)
def test_unknown_target_modules(base, names, message):
    with pytest.raises(ModelError, match=message):
        adapter_of(base, target_modules=names)


def test_names_may_be_longer_than_their_last_part(base):
    adapted = adapter_of(base, target_modules="self_attn.q_proj,layers.1.mlp.up_proj")
    names = {name.partition(".lora_")[0] for name, w in adapted.named_parameters() if w.requires_grad}
    assert sorted(name.partition("layers.")[2] for name in names) == [
        "0.self_attn.q_proj",
        "1.mlp.up_proj",
        "1.self_attn.q_proj",
    ]


def test_a_preset_has_nothing_to_adapt():
    with pytest.raises(ModelError, match=r"tiny: an adapter needs a trained model.*Set adapter: none"):
        start_adapter(stock_model(), "tiny", **LORA)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # between PEFT and transformers
def test_the_folder_is_what_peft_and_transformers_read(adapter, base, batch):
    ours, _ = load_model(adapter)
    stock = AutoModelForCausalLM.from_pretrained(base, attn_implementation="eager")
    theirs = wire(PeftModel.from_pretrained(stock, adapter).merge_and_unload(), SETTINGS).eval()
    assert_same(theirs, logits(ours, batch), batch)
    assert sorted(path.name for path in adapter.iterdir()) == [
        "adapter_base.json",
        "adapter_config.json",
        "adapter_model.safetensors",
        "generation_config.json",
        "pmind.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert len(load_file(adapter / "adapter_model.safetensors")) == 2 * 7 * 2  # layers, targets, A and B
    assert load_model(adapter)[0].generation_config.eos_token_id == words().eos_token_id


def test_equal_runs_write_equal_bytes(base, tmp_path):
    for name in ("first", "again"):
        trained_adapter(base, tmp_path / name)
    first, again = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("first", "again")
    )
    assert first == again
    config = json.loads(first["adapter_config.json"])
    assert list(config) == sorted(config)
    assert config["target_modules"] == sorted(config["target_modules"])  # PEFT writes a set, in any order
    assert config["base_model_name_or_path"] == str(base)


@pytest.mark.parametrize("dtype", ["bfloat16", "float64"])
def test_other_dtypes_are_merged_in_float32_first(adapter, batch, dtype):
    loaded, _ = load_model(adapter, dtype=dtype)
    exact, _ = load_model(adapter)
    assert {weight.dtype for weight in loaded.parameters()} == {getattr(torch, dtype)}
    assert loaded.config.dtype == getattr(torch, dtype)
    assert loaded.model.rotary_emb.inv_freq.equal(exact.model.rotary_emb.inv_freq)
    if dtype == "bfloat16":
        for rounded, weight in zip(loaded.parameters(), exact.parameters(), strict=True):
            assert rounded.equal(weight.to(torch.bfloat16))
    else:
        assert_same(exact, logits(loaded, batch).float(), batch)


def test_loading_leaves_torchs_random_stream_alone(adapter):
    torch.manual_seed(5)
    load_model(adapter)
    after = torch.rand(3)
    torch.manual_seed(5)
    assert after.equal(torch.rand(3))


def test_loading_is_quiet(adapter, recwarn, caplog):
    load_model(adapter, requested={"rope_2d_ratio": SETTINGS.rope_2d_ratio})
    assert not [str(warning.message) for warning in recwarn if warning.category is not ResourceWarning]
    assert not caplog.records


def test_greedy_answers_are_the_same_before_and_after_merging(adapter, tmp_path, compiled):
    write_plain(adapter, tmp_path / "plain", "float32")
    answers = [
        ParallelDecoder.from_pretrained(folder, compiled=compiled).generate(
            "w5 w6 w7", ["w8 w9", "w10"], max_new_tokens=6, eos_token_id=()
        )
        for folder in (adapter, tmp_path / "plain")
    ]
    assert answers[0] == answers[1]
    assert len(answers[0][0].token_ids) == 6


def change_config(folder, **changes):
    path = folder / adapters.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def test_damaged_adapters_are_named(adapter):
    path = adapter / adapters.WEIGHTS
    weights = load_file(path)
    name = "base_model.model.model.layers.1.mlp.up_proj.lora_B.weight"
    save_file({key: weight for key, weight in weights.items() if key != name}, path)
    with pytest.raises(ModelError, match=r"not the adapter that adapter_config.json describes: .*up_proj.*is missing"):
        load_model(adapter)
    save_file(weights | {"base_model.model.extra.lora_A.weight": torch.zeros(2, 2)}, path)
    with pytest.raises(ModelError, match=r"extra.* has no place"):
        load_model(adapter)
    save_file(weights | {name: torch.zeros(3, 3)}, path)
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(adapter)
    path.write_bytes(b"not weights")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(adapter)
    path.unlink()
    with pytest.raises(ModelError, match="no adapter weights"):
        load_model(adapter)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peft_type": "IA3"}, "adapters of kind IA3 are not supported"),
        ({"base_model_name_or_path": None}, "names no base model"),
        ({"target_modules": ["nothing"]}, "cannot be loaded"),
    ],
)
def test_configs_that_cannot_be_used(adapter, changes, message):
    change_config(adapter, **changes)
    with pytest.raises(ModelError, match=message):
        load_model(adapter)


@pytest.mark.parametrize("name", [adapters.CONFIG, adapters.BASE])
@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_damaged_files_are_named(adapter, name, content):
    (adapter / name).write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match="not an adapter that PEFT wrote"):
        load_model(adapter)


@pytest.mark.filterwarnings("ignore:.*tie_word_embeddings:UserWarning")
def test_adapted_embeddings_that_the_head_shares_are_refused(tmp_path):
    """Merged, the head would change with them."""
    base = write_base(tmp_path / "base", "qwen2_tied")
    trained_adapter(base, tmp_path / "adapter")
    change_config(tmp_path / "adapter", target_modules=["q_proj", "embed_tokens"])
    with pytest.raises(ModelError, match="one matrix in its base model"):
        load_model(tmp_path / "adapter")


def test_the_digest_sees_weights_and_nothing_else(base, tmp_path):
    copy = write_base(tmp_path / "copy")
    assert weights_digest(copy) == weights_digest(base)
    (copy / "config.json").write_text("{}", encoding="utf-8")
    assert weights_digest(copy) == weights_digest(base)
    weights = load_file(copy / "model.safetensors")
    size = (copy / "model.safetensors").stat().st_size
    save_file({name: weight + 1e-3 for name, weight in weights.items()}, copy / "model.safetensors", {"format": "pt"})
    assert (copy / "model.safetensors").stat().st_size == size
    assert weights_digest(copy) != weights_digest(base)
