import pytest
import torch
from torch import nn

from pmind.crossbatch.config import CrossBatchConfig
from pmind.crossbatch.hook import attach, attached, detach, mixing, naming
from pmind.crossbatch.peers import answer_peers
from pmind.decoding.reader import Reader
from pmind.errors import ModelError
from pmind.models.settings import Settings
from pmind.training.batches import NO_LABEL, TrainingBatch
from pmind.training.loss import batch_logits, summed_loss
from pmind.visibility import isolated
from tests.groups import SHAPES, random_group
from tests.reference import LEGAL, differ
from tests.tiny import wired_model
from tests.unit.crossbatch.modules import batch_of, mixed_logits, model_with, trained
from tests.unit.decoding.test_reader import read

STOCK = Settings()
GROUP = random_group(5, [3, 2, 1], [4, 4, 2])


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_the_hook_goes_away_whatever_happens():
    model = model_with(trained(), STOCK)
    with mixing(model):
        assert hooks(model) == 1
    assert hooks(model) == 0
    with pytest.raises(ZeroDivisionError), mixing(model):
        _ = 1 / 0
    assert hooks(model) == 0


def test_decoding_leaves_no_hook_even_when_a_pass_fails(monkeypatch):
    model = model_with(trained(), STOCK)
    read(Reader(model, STOCK))
    assert hooks(model) == 0
    monkeypatch.setattr(model.lm_head, "forward", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        read(Reader(model, STOCK))
    assert hooks(model) == 0


def test_a_model_mixes_only_where_a_call_says_who_is_whose_peer():
    plain, model, batch = wired_model(), model_with(trained(), STOCK), batch_of(STOCK, GROUP)
    expected = batch_logits(plain, batch, isolated, 0)
    assert batch_logits(model, batch, isolated, 0).equal(expected)
    with mixing(model):
        assert batch_logits(model, batch, isolated, 0).equal(expected)
        peers = answer_peers(batch.coords, batch.labels != NO_LABEL)
        assert differ(batch_logits(naming(model, peers), batch, isolated, 0), expected)
        assert batch_logits(model, batch, isolated, 0).equal(expected)  # nothing is left of the call before


def test_a_model_without_a_module_is_left_alone():
    model = wired_model()
    with mixing(model):
        assert hooks(model) == 0
    assert attached(model) is None
    assert detach(model) is None


def test_attach_and_detach():
    model, module = wired_model(dtype=torch.bfloat16), trained()
    attach(model, module)
    assert attached(model) is module
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}  # bfloat16 swallows small steps
    assert any(name.startswith("crossbatch.") for name in model.state_dict())
    assert detach(model) is module
    assert attached(model) is None
    assert not any(name.startswith("crossbatch.") for name in model.state_dict())


def test_a_layer_that_the_model_has_not():
    with pytest.raises(ModelError, match=r"layer 2: the model has 2 layers\. Use -1 \(the last\) to 1"):
        attach(wired_model(), trained(CrossBatchConfig(layer=2)))


def changed_steps(settings, layer: int, branch: int, step: int) -> set[tuple[int, int]]:
    """(branch, step) whose logits change when a branch's answer token is another one; token j is fed at step j + 1."""
    model = model_with(trained(CrossBatchConfig(layer=layer)), settings)
    batch = batch_of(settings, GROUP)
    numbers, labelled = batch.coords[0, :, 0], batch.labels[0] != NO_LABEL
    (places,) = ((numbers == branch) & labelled).nonzero(as_tuple=True)
    ids = batch.token_ids.clone()
    ids[0, places[step]] = (ids[0, places[step]] + 7) % 61
    before, after = (
        mixed_logits(model, settings, TrainingBatch(token_ids, batch.coords, batch.labels))[0]
        for token_ids in (batch.token_ids, ids)
    )
    moved = (before - after).abs().amax(dim=-1) > 1e-5
    changed = set()
    for number in (1, 2, 3):
        (own,) = ((numbers == number) & labelled).nonzero(as_tuple=True)
        changed |= {(number, rank) for rank, place in enumerate(own.tolist()) if moved[place]}
    return changed


@pytest.mark.parametrize("layer", [0, -1])
@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_no_token_hears_of_a_later_step(visibility, alignment, layer):
    """Trap: a hook that sees future tokens. Steps up to the changed one stay, those from it on hear of it."""
    settings = Settings(visibility=visibility, alignment=alignment)
    changed = changed_steps(settings, layer, branch=1, step=2)
    assert min(step for _, step in changed) == 2
    assert {(1, 2), (2, 2), (3, 2)} <= changed  # the third branch's last step is its stop token's


def test_behind_the_last_layer_an_earlier_word_is_forgotten_by_siblings():
    """Isolated siblings hear a token in its own step, and later only what its own branch made of it."""
    assert (2, 2) in changed_steps(STOCK, -1, branch=1, step=1)


def test_gradient_checkpointing_gives_the_same_gradients():
    """Layers are computed again on the way back, when the loss has long been returned."""
    gradients = []
    for checkpointing in (False, True):
        model = model_with(trained(CrossBatchConfig(layer=0)), STOCK).train()
        if checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        batch = batch_of(STOCK, GROUP)
        peers = answer_peers(batch.coords, batch.labels != NO_LABEL)
        with mixing(model):
            summed_loss(naming(model, peers), batch, isolated).backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    assert all(torch.allclose(gradients[0][name], gradients[1][name], atol=1e-5) for name in gradients[0])
    assert gradients[0]["crossbatch.inform.value.weight"].any()


@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_permuting_groups_and_padding_them_changes_nothing(visibility, alignment):
    settings = Settings(visibility=visibility, alignment=alignment)
    model = model_with(trained(CrossBatchConfig(layer=0)), settings)
    groups = [SHAPES[name] for name in ("ordinary", "empty_context", "wildly_unequal", "one_branch")]
    together = mixed_logits(model, settings, batch_of(settings, *groups))
    swapped = mixed_logits(model, settings, batch_of(settings, *groups[::-1]))
    torch.testing.assert_close(swapped.flip(0), together, rtol=0, atol=1e-5)
    for group, logits in zip(groups, together, strict=True):
        batch = batch_of(settings, group)
        alone = mixed_logits(model, settings, batch)[0]
        torch.testing.assert_close(logits[: len(alone)], alone, rtol=0, atol=1e-4)
