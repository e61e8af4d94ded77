"""What learns under each choice of the params, through the training loop and through the stage."""

import random
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from torch import nn

from pmind.crossbatch.files import has_crossbatch, read_origin
from pmind.crossbatch.hook import attached, mixing
from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import TrainingError
from pmind.models.adapters import is_adapter
from pmind.models.loading import load_model
from pmind.models.settings import STOCK
from pmind.params import CrossBatchParams, LoraParams
from pmind.training.batches import Collator, Sample
from pmind.training.checkpoints import WEIGHTS, Checkpoints
from pmind.training.crossbatch import choose_learners, exchanging, save_learnt, untie_head
from pmind.training.learnt import Learnt
from pmind.training.loss import summed_loss
from pmind.training.objective import make_objective
from pmind.training.run import run_training
from pmind.visibility import isolated
from tests.tiny import build_word_tokenizer, wired_model
from tests.unit.training import test_finetuning as stage
from tests.unit.training.resumable import RATES, TRAINING

ROOT = Path(__file__).parents[3]
LORA = LoraParams(**stage.PARAMS["lora"] | {"rank": 2})
LOSS = exchanging(partial(summed_loss, rule=isolated, attention="dense"))
TRAINED = ("baseline", "crossbatch", "lora_lmhead", "lora_crossbatch")
WORDS = 8  # of the toy task
folder = stage.folder  # a fixture: a stock chat model and groups to train it on

LEARNT = Learnt("crossbatch", "models/base", "9f2c", "squad", "context")


def params_of(train: str, **changes) -> CrossBatchParams:
    return CrossBatchParams(**stage.PARAMS["crossbatch"] | {"train": train, "heads": 4} | changes)


def student_of(train: str, shape: str = "llama", **changes) -> nn.Module:
    torch.manual_seed(5)
    return choose_learners(wired_model(shape), "models/base", params_of(train, **changes), LORA)


def swapped_words(rng: random.Random, step: int) -> list[Sample]:
    """Pairs of branches; each has to say the other's word, which it does not see."""
    pairs = [(rng.randrange(1, WORDS), rng.randrange(1, WORDS)) for _ in range(16)]
    return [Sample([], [[9, a], [9, b]], [[b], [a]], [False, False]) for a, b in pairs]


def threes(rng: random.Random, step: int) -> list[Sample]:
    """Three branches: between two of them, attention has but one thing to read, whatever its query."""
    return [
        Sample([], [[rng.randrange(WORDS)] for _ in range(3)], [[rng.randrange(WORDS)] for _ in range(3)], [True] * 3)
    ]


def learn(network: nn.Module, steps: int, kept: Path, every: int = 1000, draw=swapped_words):
    """Train on a toy task; its progress."""
    training = replace(TRAINING, optimizer="adamw", schedule="cosine")
    objective = make_objective(draw, Collator("own", 0, 0), training, name="toy", seed=1)
    rates = replace(RATES, steps=steps, learning_rate=0.02, weight_decay=0.0)
    with mixing(network):
        return run_training(network, STOCK, objective, rates, training, Checkpoints(kept, "same", every), loss=LOSS)


@pytest.mark.parametrize("changes", [{}, {"kind": "mixer"}, {"combine": "gate"}, {"freeze_base": True}], ids=str)
def test_what_siblings_know_is_learnt_from_them(tmp_path, changes):
    """Two branches that must say each other's word: chance is the logarithm of seven words."""
    losses = learn(student_of("crossbatch", **changes), 80, tmp_path).losses
    assert sum(losses[-10:]) / 10 < 0.3


@pytest.mark.parametrize("train", ["baseline", "lora_lmhead"])
def test_without_the_module_nobody_can_know(tmp_path, train):
    losses = learn(student_of(train), 80, tmp_path).losses
    assert sum(losses[-10:]) / 10 > 1.6


def changed_by(train: str, kept: Path, **changes) -> set[str]:
    """Kinds of parameters that three steps change."""
    network = student_of(train, **changes)
    before = {name: value.clone() for name, value in network.named_parameters()}
    learn(network, 3, kept, draw=threes)
    moved = {name for name, value in network.named_parameters() if not value.equal(before[name])}
    assert moved == {name for name, value in network.named_parameters() if value.requires_grad}
    return {kind for name in moved for kind in ("lora_", "crossbatch.", "lm_head") if kind in name} | {
        "base" for name in moved if not any(kind in name for kind in ("lora_", "crossbatch.", "lm_head"))
    }


@pytest.mark.parametrize(
    ("train", "freeze_base", "learnt"),
    [
        ("baseline", False, {"lm_head"}),
        ("crossbatch", False, {"lm_head", "crossbatch."}),
        ("crossbatch", True, {"crossbatch."}),
        ("lora_lmhead", False, {"lm_head", "lora_"}),
        ("lora_crossbatch", False, {"lm_head", "lora_", "crossbatch."}),
        ("lora_crossbatch", True, {"lora_", "crossbatch."}),
    ],
)
def test_what_learns(tmp_path, train, freeze_base, learnt):
    """Trap: an adapter below a frozen base that runs without gradients learns nothing."""
    assert changed_by(train, tmp_path, combine="gate", freeze_base=freeze_base) == learnt


@pytest.mark.parametrize("train", TRAINED)
def test_nothing_is_changed_at_first(train):
    batch = Collator("own", 0, 0)(swapped_words(random.Random(0), 0))
    network = student_of(train).eval()
    with torch.no_grad(), mixing(network):
        assert LOSS(network, batch).equal(LOSS(wired_model("llama"), batch))


def test_mixed_precision_computes_about_the_same():
    batch = Collator("own", 0, 0)(threes(random.Random(0), 0))
    network = student_of("crossbatch", combine="gate")
    nn.init.normal_(attached(network).inform.output.weight, std=0.5)
    with mixing(network):
        expected = LOSS(network, batch)
        with torch.autocast("cpu", torch.bfloat16):
            rough = LOSS(network, batch)
            rough.backward()
    assert rough.item() == pytest.approx(expected.item(), rel=0.05)
    assert all(parameter.grad.any() for parameter in attached(network).parameters())


def test_a_tied_head_gets_a_matrix_of_its_own(tmp_path):
    network = student_of("baseline", "qwen2_tied")
    embeddings = network.get_input_embeddings().weight.clone()
    learn(network, 2, tmp_path / "kept")
    assert network.get_input_embeddings().weight.equal(embeddings)
    save_learnt(tmp_path / "out", network, words(), STOCK, LEARNT)
    again, _ = load_model(tmp_path / "out")
    assert not again.config.tie_word_embeddings
    assert again.get_output_embeddings().weight.equal(network.get_output_embeddings().weight)
    assert not again.get_output_embeddings().weight.equal(embeddings)


def test_a_frozen_tied_head_stays_tied():
    network = student_of("crossbatch", "qwen2_tied", freeze_base=True)
    assert network.get_output_embeddings().weight is network.get_input_embeddings().weight
    assert untie_head(network).weight is not network.get_input_embeddings().weight


def words():
    tokenizer = build_word_tokenizer()
    tokenizer.eos_token = "w0"
    return tokenizer


@pytest.mark.parametrize("train", TRAINED)
def test_what_was_learnt_is_what_is_loaded(tmp_path, train):
    network = student_of(train)
    learn(network, 3, tmp_path / "kept")
    batch = Collator("own", 0, 0)(swapped_words(random.Random(0), 0))
    with torch.no_grad(), mixing(network):
        expected = LOSS(network.eval(), batch).item()
    out = tmp_path / "out"
    save_learnt(out, network, words(), STOCK, LEARNT)
    assert not is_adapter(out)
    assert has_crossbatch(out) == train.endswith("crossbatch")
    loaded = ParallelDecoder.from_pretrained(out, compiled=False).model
    with torch.no_grad(), mixing(loaded):
        assert LOSS(loaded, batch).item() == pytest.approx(expected, rel=1e-5)


def test_a_folder_forgets_the_module_of_an_older_model(tmp_path):
    for train in ("crossbatch", "baseline"):
        save_learnt(tmp_path, student_of(train), words(), STOCK, LEARNT)
        assert has_crossbatch(tmp_path) == (train == "crossbatch")


def test_params_that_leave_nothing_to_learn():
    with pytest.raises(TrainingError, match="leaves baseline no head to train"):
        student_of("baseline", freeze_base=True)
    adapted = student_of("lora_lmhead")
    assert isinstance(adapted, PeftModel)
    with pytest.raises(TrainingError, match=r"finetune.adapter is lora, but crossbatch.train crossbatch decides"):
        choose_learners(adapted, "models/base", params_of("crossbatch"), LORA)


def test_a_killed_run_ends_with_the_same_module(tmp_path):
    whole = student_of("lora_crossbatch", combine="gate")
    losses = learn(whole, 6, tmp_path / "whole", every=2).losses
    program = f"""
import os, signal
from pathlib import Path
from tests.unit.crossbatch import test_training as t
def draw(rng, step):
    return os.kill(os.getpid(), signal.SIGKILL) if step == 5 else t.swapped_words(rng, step)
t.learn(t.student_of("lora_crossbatch", combine="gate"), 6, Path({str(tmp_path / "killed")!r}), every=2, draw=draw)
"""
    killed = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    kept = load_file(tmp_path / "killed" / "step-00000004" / WEIGHTS)
    assert any(name.startswith("crossbatch.") for name in kept)
    resumed = student_of("lora_crossbatch", combine="gate")
    nn.init.ones_(attached(resumed).inform.output.weight)  # what the checkpoint replaces
    assert learn(resumed, 6, tmp_path / "killed", every=2).losses == losses
    saved = whole.state_dict()
    assert all(saved[name].equal(value) for name, value in resumed.state_dict().items())


@pytest.mark.parametrize("train", TRAINED)
def test_the_stage_trains_and_its_model_decodes(folder, train, monkeypatch):
    section = {"train": train, "heads": 2, "combine": "gate", "layer": 0}
    monkeypatch.setitem(stage.PARAMS, "crossbatch", stage.PARAMS["crossbatch"] | section)
    metrics = stage.finetune_in(folder, train)
    assert metrics["squad.finetune.steps"] == 4
    decoder = ParallelDecoder.from_pretrained(folder / train)
    module = attached(decoder.model)
    assert (module is not None) == train.endswith("crossbatch")
    if module is not None:
        assert (module.config.combine, module.config.layer, module.config.heads) == ("gate", 0, 2)
        assert module.inform.output.weight.any()
        origin = read_origin(folder / train)[1]
        assert (origin.model, origin.grouping) == (str(folder / "model"), "context")
    answers = decoder.generate("Orin lives here.", ["Who 0?", "Who 1?"], max_new_tokens=3)
    assert len(answers) == 2
    again = stage.finetune_in(folder, "again")
    assert again == metrics


def test_the_stage_distils_into_a_model_with_a_module(folder, monkeypatch):
    section = {"train": "crossbatch", "heads": 2}
    monkeypatch.setitem(stage.PARAMS, "crossbatch", stage.PARAMS["crossbatch"] | section)
    metrics = stage.finetune_in(folder, "distilled", distillation=0.5)
    assert "squad.finetune.objective" in metrics
    assert has_crossbatch(folder / "distilled")
