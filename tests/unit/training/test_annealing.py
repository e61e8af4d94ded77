import pytest
import torch
from peft import LoraConfig, get_peft_model

from pmind.errors import TrainingError
from pmind.models.settings import Settings
from pmind.training.annealing import anneal_branches, annealed_pairs
from tests.groups import SHAPES
from tests.reference import assert_close, dense_logits, differ
from tests.tiny import KINDS, wired_model

FLAT = Settings(visibility="columnar", alignment="right")
FINAL = Settings(visibility="columnar", alignment="right", rope_2d_ratio=0.5, branch_stride=16)
LAYOUT = SHAPES["ordinary"].layout("right")


def logits(model, settings=FINAL):
    return dense_logits(model, settings, LAYOUT)


@pytest.mark.parametrize("kind", KINDS)
def test_it_begins_without_a_branch_axis_and_ends_with_the_settings_own(kind):
    model = wired_model(kind, FINAL)
    expected = logits(model)
    before_step = anneal_branches(model, anneal_steps=8, steps=10)
    before_step(0)
    assert_close(logits(model), logits(wired_model(kind, FLAT)))
    assert differ(logits(model), expected)
    for step in (8, 9):
        before_step(step)
        assert torch.equal(logits(model), expected)


def test_in_between_it_is_a_model_of_those_pairs():
    model = wired_model("llama", FINAL)
    anneal_branches(model, anneal_steps=8, steps=10)(4)  # half of pairs 2, 4, 6, 8
    settings = Settings(visibility="columnar", alignment="right", pair_indices=(6, 8), branch_stride=16)
    assert_close(logits(model), logits(wired_model("llama", settings)))


@pytest.mark.parametrize("anneal_steps", [1, 3, 4, 7, 50])
def test_pairs_enter_from_the_slowest_and_never_leave(anneal_steps):
    pairs = (2, 5, 6, 9)
    sets = [annealed_pairs(pairs, step, anneal_steps) for step in range(anneal_steps + 1)]
    assert sets[0] == ()
    assert sets[-1] == pairs
    assert all(entered == pairs[len(pairs) - len(entered) :] for entered in sets)
    sizes = [len(entered) for entered in sets]
    assert sizes == sorted(sizes)


def test_a_step_means_the_same_whatever_came_before():
    """So a resumed run goes on with the pairs that the killed one had."""
    walked, jumped = wired_model("llama", FINAL), wired_model("llama", FINAL)
    before_step = anneal_branches(walked, anneal_steps=8, steps=10)
    for step in range(6):
        before_step(step)
    anneal_branches(jumped, anneal_steps=8, steps=10)(5)
    assert torch.equal(logits(walked), logits(jumped))


def test_wrapped_models_are_annealed_too():
    adapted = get_peft_model(wired_model("llama", FINAL), LoraConfig(target_modules=["q_proj"]))
    wrapped = torch.nn.ModuleDict({"module": adapted})
    anneal_branches(wrapped, anneal_steps=8, steps=10)(0)
    assert_close(logits(wrapped["module"]), logits(wired_model("llama", FLAT)))


def test_a_run_must_see_all_pairs():
    with pytest.raises(TrainingError, match="anneal_steps 10 leaves none of the 10 steps"):
        anneal_branches(wired_model("llama", FINAL), anneal_steps=10, steps=10)
