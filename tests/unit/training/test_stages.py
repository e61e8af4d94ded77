"""Both training stages on a few documents: what they write, and that a repetition writes it again."""

import json
from pathlib import Path

import pytest
import yaml

from pmind.corpora.text import read_documents
from pmind.corpora.tokenizer import train_tokenizer
from pmind.errors import ModelError, ParamsError, SettingsError
from pmind.models.loading import load_model
from pmind.models.settings import load_settings
from pmind.params import TaskParams
from pmind.tasks.loading import load_task
from pmind.tasks.records import write_groups
from stages import finetune, pretrain
from tests.conftest import THREADS

PARAMS = yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text(encoding="utf-8"))
SMALL = {"steps": 2, "batch_size": 1, "warmup_steps": 1, "checkpoint_every": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Params, tokenizer, groups and a pretrained model, all tiny."""
    folder = tmp_path_factory.mktemp("stages")
    documents = read_documents("builtin", "train", 40, 1).documents
    train_tokenizer(map("".join, documents), 400).save_pretrained(folder / "tokenizer")
    task = TaskParams(**PARAMS["squad"] | {"train_groups": 6, "test_groups": 2})
    write_groups(folder / "groups" / "train.jsonl", load_task(task, 1).train)
    write_params(folder)
    pretrain_in(folder)
    return folder


def write_params(folder, **changes) -> Path:
    """The shipped params, made small; CHANGES are top-level keys or parts of sections."""
    values = PARAMS | {
        "threads": THREADS,
        "text": PARAMS["text"] | {"train_documents": 20, "val_documents": 1},
        "pretrain": PARAMS["pretrain"] | SMALL | {"max_branches": 2, "max_branch_tokens": 40},
        "finetune": PARAMS["finetune"] | SMALL,
    }
    for key, change in changes.items():
        values[key] = values[key] | change if isinstance(change, dict) else change
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def pretrain_in(folder, out="model", params=None):
    pretrain.main(
        folder / "tokenizer",
        folder / out,
        folder / f"{out}.json",
        folder / f"{out}-loss.json",
        params=params or folder / "params.yaml",
        checkpoints=folder / "checkpoints",
        curves=folder / "logs",
    )


def finetune_in(folder, params=None):
    finetune.main(
        "squad",
        folder / "model",
        folder / "groups",
        folder / "squad",
        folder / "squad.json",
        params=params or folder / "params.yaml",
        checkpoints=folder / "checkpoints",
        curves=folder / "logs",
    )


def test_pretraining_writes_a_model_that_loads_as_trained(folder):
    settings = load_settings(folder / "model")
    assert (settings.rope_2d_ratio, settings.branch_stride) == (PARAMS["rope_2d_ratio"], PARAMS["branch_stride"])
    assert (settings.visibility, settings.alignment) == ("columnar", "right")
    assert settings.trained_branches == (1, 2)
    assert settings.prompt_template["answer"] == " {answer}"
    model, loaded = load_model(folder / "model")
    assert loaded == settings
    assert model.generation_config.eos_token_id == model.config.eos_token_id is not None
    assert list((folder / "model").glob("*.safetensors"))
    assert not (folder / "checkpoints").exists()


def test_metrics_say_what_was_read_and_hold_no_times(folder):
    metrics = json.loads((folder / "model.json").read_text())
    assert {name.removeprefix("pretrain.") for name in metrics} >= {
        "documents", "documents_left_out", "label_tokens", "loss", "parameters", "passages", "steps",
        "text_tokens", "texts", "texts_cut", "tokens_cut", "validation_contexts", "validation_texts",
    }  # fmt: skip
    assert not [name for name in metrics if "second" in name or "time" in name]
    assert metrics["pretrain.texts"] == 2
    assert (metrics["pretrain.validation_texts"], metrics["pretrain.validation_contexts"]) == (64, 1)


def test_losses_are_named_by_branch_count_and_position(folder):
    losses = json.loads((folder / "model-loss.json").read_text())
    counts = (1, 2, 4, 8, 16, 32, 64)
    assert {name for name in losses if not name.startswith("loss.positions")} == {
        f"{measure}.branches_{count}" for measure in ("loss", "perplexity") for count in counts
    }
    bands = {name.split(".")[1] for name in losses} - {f"branches_{count}" for count in counts}
    assert (
        {"positions_0_7", "positions_8_31"}
        <= bands
        <= {f"positions_{b}" for b in ("0_7", "8_31", "32_127")} | {"positions_128_511"}
    )


def test_pretraining_again_gives_the_same_bytes(folder):
    pretrain_in(folder, "again")
    for name in ("model.safetensors", "pmind.json", "config.json"):
        assert (folder / "again" / name).read_bytes() == (folder / "model" / name).read_bytes()
    assert (folder / "again.json").read_bytes() == (folder / "model.json").read_bytes()
    assert (folder / "again-loss.json").read_bytes() == (folder / "model-loss.json").read_bytes()


def test_finetuning_goes_on_from_the_pretrained_model(folder):
    finetune_in(folder)
    metrics = json.loads((folder / "squad.json").read_text())
    assert sorted(metrics) == ["squad.finetune.label_tokens", "squad.finetune.loss", "squad.finetune.steps"]
    settings = load_settings(folder / "squad")
    assert settings.rope_2d_ratio == load_settings(folder / "model").rope_2d_ratio
    assert settings.trained_branches == (1, PARAMS["branches"])


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"rope_2d_ratio": 0.5}, "rope_2d_ratio 0.25, but 0.5"),
        ({"visibility": "isolated"}, "visibility columnar, but isolated"),
    ],
)
def test_finetuning_refuses_other_settings_than_pretraining(folder, tmp_path, changes, message):
    with pytest.raises(SettingsError, match=message):
        finetune_in(folder, write_params(tmp_path, **changes))


def test_branch_bounds_must_be_in_order(folder, tmp_path):
    params = write_params(tmp_path, pretrain={"min_branches": 5, "max_branches": 2})
    with pytest.raises(ParamsError, match="min_branches 5 is more than max_branches 2"):
        pretrain_in(folder, params=params)


@pytest.mark.parametrize(
    "changes",
    [
        {"shared_context_share": 0.0, "packing": "join", "max_branch_tokens": 200, "batch_size": 3},
        {"shared_context": "continuations", "max_branch_tokens": 20, "batch_size": 4},
        {"shared_context_share": 0.5, "max_branch_tokens": 20, "max_column_offset": 3, "batch_size": 4},
    ],
)
def test_every_way_to_put_texts_together_trains(folder, tmp_path, changes):
    params = write_params(tmp_path, pretrain=changes, text={"val_documents": 3})
    pretrain_in(folder, "other", params)
    losses = json.loads((folder / "other-loss.json").read_text())
    assert all(0 < losses[f"loss.branches_{count}"] < 8 for count in (1, 2))


def test_texts_must_fit_the_models_positions(folder, tmp_path):
    params = write_params(tmp_path, pretrain={"max_branch_tokens": 4000})
    with pytest.raises(ModelError, match="8000 columns, but the model has 2048 positions"):
        pretrain_in(folder, params=params)
