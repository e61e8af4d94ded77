import pytest
import torch
from torch import nn

from pmind.crossbatch.config import CrossBatchConfig
from pmind.crossbatch.module import CrossBatch
from pmind.crossbatch.peers import ENDED
from pmind.errors import ModelError
from tests.unit.crossbatch.modules import CONFIGS, HIDDEN, trained, untrained

PEERS = torch.tensor([[1, 2, 5], [8, 9, ENDED]])  # of 2 rows of 6 tokens


def states(seed: int = 0) -> torch.Tensor:
    return torch.randn(2, 6, HIDDEN, generator=torch.Generator().manual_seed(seed))


def each_config(function):
    return pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)(function)


@each_config
def test_an_untrained_module_changes_nothing(config):
    assert untrained(config)(states(), PEERS).equal(states())


@each_config
def test_only_who_has_peers_is_changed(config):
    changed = (trained(config)(states(), PEERS) != states()).any(dim=-1).flatten().nonzero()[:, 0]
    assert changed.tolist() == [1, 2, 5, 8, 9]


@each_config
def test_a_branch_alone_is_left_as_it_is(config):
    alone = torch.tensor([[1, ENDED], [ENDED, 8]])
    assert trained(config)(states(), alone).equal(states())


@each_config
def test_a_token_hears_its_peers_and_nobody_else(config):
    module, before = trained(config), states().requires_grad_()
    after = module(before, PEERS)
    heard = [
        torch.autograd.grad(after[0, 1].sum(), before, retain_graph=True)[0].abs().sum(dim=-1).flatten().nonzero(),
        torch.autograd.grad(after[1, 3].sum(), before, retain_graph=True)[0].abs().sum(dim=-1).flatten().nonzero(),
    ]
    assert [places[:, 0].tolist() for places in heard] == [[1, 2, 5], [8, 9]]


@each_config
def test_the_order_of_groups_and_of_peers_means_nothing(config):
    module = trained(config)
    expected = module(states(), PEERS)
    torch.testing.assert_close(module(states(), PEERS[[1, 0]][:, [2, 0, 1]]), expected)


def test_a_siblings_own_words_are_told():
    """Attention over two branches has one other to read: its value, through the output, times the scale."""
    module = trained(CrossBatchConfig(heads=2))
    pair = torch.tensor([[1, 2]])
    inform = module.inform
    told = inform.output(inform.value(module.norm(states()[0, 2])))
    torch.testing.assert_close(module(states(), pair)[0, 1], states()[0, 1] + module.weight.scale * told)


def test_the_mixer_hears_most_from_who_is_most_alike():
    module = trained(CrossBatchConfig("mixer"))
    alike = states().clone()
    alike[0, 2] = alike[0, 1] + 0.01
    before = alike.requires_grad_()
    grad = torch.autograd.grad(module(before, PEERS)[0, 1].sum(), before)[0].abs().sum(dim=-1)[0]
    assert grad[2] > 3 * grad[5]


def train(module: nn.Module, steps: int) -> dict[str, torch.Tensor]:
    """Fit random targets; the gradients of the last step."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        (module(states(), PEERS) - states(1)).square().sum().backward()
        optimizer.step()
    return {name: parameter.grad for name, parameter in module.named_parameters()}


@each_config
def test_every_parameter_gets_a_gradient(config):
    """Trap: a gate, or a scale, and a projection that all start at zero never learn anything."""
    first = train(untrained(config), 1)
    assert first["inform.output.weight"].any()
    assert [name for name, gradient in train(untrained(config), 2).items() if not gradient.any()] == []


def test_the_trap_is_one():
    module = untrained()
    nn.init.zeros_(module.weight.scale)
    assert not any(gradient.any() for gradient in train(module, 2).values())


def test_bfloat16_states_stay_so_and_untrained_they_keep_every_bit():
    rough = states().bfloat16()
    assert untrained()(rough, PEERS).equal(rough)
    assert trained()(rough, PEERS).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"heads": 5}, "heads 5 do not divide the model's hidden size 32"),
        ({"heads": 0}, "at least one head"),
        ({"layer": -2}, "layer must be -1"),
    ],
)
def test_shapes_that_cannot_be(values, message):
    with pytest.raises(ModelError, match=message):
        CrossBatch(HIDDEN, CrossBatchConfig(**values))
