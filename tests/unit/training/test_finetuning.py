"""The fine-tuning stage on a random stock chat model and on one that pmind trained, a few steps each."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from peft import PeftModel

from pmind.errors import DataError, SettingsError, TrainingError
from pmind.models.adapters import is_adapter
from pmind.models.loading import load_model
from pmind.models.settings import Settings, load_settings, save_settings
from pmind.params import FinetuneParams, LoraParams, TrainingParams
from pmind.tasks.records import Question, QuestionGroup, write_groups
from pmind.training import finetuning
from pmind.training.batches import Collator, Sample
from pmind.training.loss import summed_loss
from pmind.training.objective import make_objective, take_share
from pmind.training.questions import QuestionSteps
from pmind.visibility import columnar
from stages import finetune
from tests.conftest import THREADS
from tests.tiny import stock_model
from tests.unit.tasks.test_chat import TOKENIZERS

PARAMS = yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text(encoding="utf-8"))
SMALL = {"steps": 4, "batch_size": 2, "warmup_steps": 1, "checkpoint_every": 2, "own_answer_tokens": 3}
QUESTIONS = tuple(Question(str(number), f"Who {number}?", ("Orin",)) for number in range(3))
GROUPS = [QuestionGroup(str(number), str(number), f"Orin lives in {number}.", QUESTIONS) for number in range(4)]
SAMPLES = [Sample([1, 2], [[3], [4, 5]], [[6, 7], [8]], [True, True])]
FINAL = Settings(rope_2d_ratio=0.5, branch_stride=16, alignment="right", visibility="columnar")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A stock chat model with its tokenizer, and training groups."""
    folder = tmp_path_factory.mktemp("finetuning")
    tokenizer = TOKENIZERS["qwen"]
    stock_model("llama", vocab_size=len(tokenizer)).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    write_groups(folder / "groups" / "train.jsonl", GROUPS)
    return folder


def finetune_in(folder, out="out", model="model", **changes):
    """Fine-tune a model of FOLDER; CHANGES are keys of the finetune section. Gives its metrics."""
    values = PARAMS | {"threads": THREADS, "finetune": PARAMS["finetune"] | SMALL | changes}
    values["lora"] = PARAMS["lora"] | {"rank": 2}
    params = folder / "params.yaml"
    params.write_text(yaml.safe_dump(values), encoding="utf-8")
    kept = {"params": params, "checkpoints": folder / "checkpoints", "curves": folder / "logs"}
    finetune.main("squad", folder / model, folder / "groups", folder / out, folder / f"{out}.json", **kept)
    return json.loads((folder / f"{out}.json").read_text())


def config_of(**changes) -> FinetuneParams:
    return FinetuneParams(**PARAMS["finetune"] | SMALL | changes)


def test_a_stock_model_takes_the_params_settings(folder):
    metrics = finetune_in(folder)
    assert sorted(metrics) == ["squad.finetune.label_tokens", "squad.finetune.loss", "squad.finetune.steps"]
    settings = load_settings(folder / "out")
    assert (settings.rope_2d_ratio, settings.visibility) == (PARAMS["rope_2d_ratio"], "columnar")
    assert settings.prompt_template["prompt"] == "{question}"
    assert not (folder / "checkpoints" / "squad").exists()
    assert list((folder / "logs" / "squad").iterdir())


def test_everything_at_once_gives_an_adapter_and_the_same_one_again(folder):
    options = {"adapter": "lora", "chat_template": True, "targets": "own", "distillation": 0.5, "anneal_steps": 2}
    metrics = finetune_in(folder, **options)
    assert metrics["squad.finetune.own_answers.cut"] + metrics["squad.finetune.own_answers.empty"] > 0
    assert is_adapter(folder / "out")
    model, settings = load_model(folder / "out")
    assert settings.prompt_template["context"].endswith("<|im_start|>user\n{context}\n\n")
    base = load_model(folder / "model", requested={"visibility": "columnar"}, override=True)[0]
    assert any(not torch.equal(*pair) for pair in zip(model.parameters(), base.parameters(), strict=True))
    assert finetune_in(folder, "again", **options) == metrics
    for name in ("adapter_model.safetensors", "pmind.json"):
        assert (folder / "again" / name).read_bytes() == (folder / "out" / name).read_bytes()


def test_own_answers_are_what_is_learnt(folder):
    own, data = finetune_in(folder, targets="own"), finetune_in(folder)
    assert own["squad.finetune.label_tokens"] != data["squad.finetune.label_tokens"]


def test_the_model_ends_with_its_final_branch_axis(folder, monkeypatch):
    started = []
    start = finetune.start_student
    monkeypatch.setattr(finetune, "start_student", lambda *given: started.append(start(*given)) or started[-1])
    finetune_in(folder, anneal_steps=3)
    (rotary,) = (module for module in started[0].modules() if hasattr(module, "carries_branch"))
    assert (rotary.carries_branch.nonzero()[:, 0] + 1).tolist() == list(rotary.pairs) != []


def test_a_model_that_pmind_trained_keeps_its_settings(folder):
    finetune_in(folder, "first")
    finetune_in(folder, "second", model="first", distillation=0.5)
    with pytest.raises(TrainingError, match="anneal_steps 2 would take the branch axis"):
        finetune_in(folder, "second", model="first", anneal_steps=2)
    save_settings(folder / "first", Settings(rope_2d_ratio=0.25, visibility="columnar", alignment="left"))
    with pytest.raises(SettingsError, match="was made for"):
        finetune_in(folder, "second", model="first")


def test_no_groups_are_an_error(folder, tmp_path):
    write_groups(tmp_path / "train.jsonl", [])
    with pytest.raises(DataError, match=r"no groups\. Keep more of them"):
        finetune.main("squad", folder / "model", tmp_path, tmp_path / "out", tmp_path / "m.json")


def test_what_the_params_leave_out_is_not_done(folder):
    training = TrainingParams(**PARAMS["training"])
    assert finetuning.finetuning_loss(folder / "model", FINAL, config_of(), training) is None
    assert finetuning.annealing(stock_model(), folder / "model", config_of()) is None


def test_an_adapter_begins_as_the_model_itself(folder):
    lora = LoraParams(**PARAMS["lora"])
    plain, adapted = (
        finetuning.start_student(folder / "model", FINAL, config_of(adapter=kind), lora) for kind in ("none", "lora")
    )
    assert isinstance(adapted, PeftModel)
    batch = Collator("right", 0, 0)(SAMPLES)
    assert summed_loss(adapted, batch, columnar).item() == summed_loss(plain, batch, columnar).item()


def test_distillation_is_from_the_model_before_training(folder):
    """A stock model asked alone is no columnar one in company, so there is a distance from the first step."""
    training = TrainingParams(**PARAMS["training"])
    student = finetuning.start_student(folder / "model", FINAL, config_of(), LoraParams(**PARAMS["lora"]))
    batch = Collator("right", 0, 0)(SAMPLES)
    loss = finetuning.finetuning_loss(folder / "model", FINAL, config_of(distillation=1.0), training)
    assert loss(student, batch).item() > 0.1
    alone = [Sample([1, 2], [[3]], [[6, 7]], [True])]
    flat = Settings(visibility="columnar", alignment="right")
    student = finetuning.start_student(folder / "model", flat, config_of(), LoraParams(**PARAMS["lora"]))
    assert loss(student, Collator("right", 0, 0)(alone)).item() == pytest.approx(0, abs=1e-4)


def test_steps_are_cut_into_parts(folder):
    samples = [Sample([1] * length, [[2]], [[3]], [True]) for length in range(1, 9)]
    steps = QuestionSteps(samples, batch_size=4, max_branches=1, seed=1)
    training = TrainingParams(**PARAMS["training"] | {"part_tokens": 20})
    objective = make_objective(steps, Collator("right", 0, 0), training, name="finetune/squad", seed=1)
    batches = [batch for batch, _ in take_share(objective(0), 0, 1).batches]
    assert len(batches) > 1
    assert sum(len(batch.token_ids) for batch in batches) == 4
    assert all(batch.token_ids.numel() <= 20 for batch in batches)
    again = [batch for batch, _ in take_share(objective(0), 0, 1).batches]
    assert all(torch.equal(a.token_ids, b.token_ids) for a, b in zip(batches, again, strict=True))
