import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pmind.analysis.weights import read_weights
from pmind.errors import ModelError
from pmind.geometry import build_layout
from pmind.models.wiring import forward, wire
from pmind.visibility import VISIBILITIES, dense_mask
from tests.groups import SHAPES
from tests.unit.analysis.groups import COLUMNAR, KINDS, OWN, model_of


@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_a_single_branch_are_those_of_transformers(kind):
    group = SHAPES["one_branch"]
    stock = model_of(kind)
    with torch.inference_mode():
        expected = stock(torch.tensor([group.alone(0)]), output_attentions=True)
    seen = {}
    layout = group.layout("own")
    logits = read_weights(
        wire(model_of(kind), OWN), OWN, layout, seen.__setitem__, keep=torch.arange(len(layout.token_ids))
    )
    assert sorted(seen) == [0, 1]
    for layer, weights in seen.items():
        torch.testing.assert_close(weights, expected.attentions[layer][0], atol=1e-5, rtol=0)
    torch.testing.assert_close(logits, expected.logits[0], atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["llama_gqa", "qwen3"])
@pytest.mark.parametrize("settings", [OWN, COLUMNAR], ids=["own", "columnar"])
def test_a_group_is_read_as_the_dense_reference_reads_it(kind, settings):
    model, layout = wire(model_of(kind), settings), SHAPES["ordinary"].layout(settings.alignment)
    visible = dense_mask(VISIBILITIES[settings.visibility], layout.coords[None], layout.coords[None])
    seen = []
    logits = read_weights(
        model, settings, layout, lambda layer, weights: seen.append(weights), keep=torch.arange(len(layout.token_ids))
    )
    with torch.inference_mode():
        expected = forward(model, layout.token_ids[None], layout.coords[None], visible)[0]
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)
    for weights in seen:
        assert not weights[:, ~visible[0]].any()
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2]), atol=1e-5, rtol=0)


def test_no_layer_is_held_when_the_next_is_read():
    alive = []

    def read(layer, weights):
        assert not any(earlier() is not None for earlier in alive)
        alive.append(weakref.ref(weights))

    layout = SHAPES["ordinary"].layout("right")
    read_weights(wire(model_of("llama", num_hidden_layers=4), COLUMNAR), COLUMNAR, layout, read)
    assert len(alive) == 4


class _Peak(TorchDispatchMode):
    """Most tensors of one size that live at a time."""

    def __init__(self, size):
        super().__init__()
        self.size, self.alive, self.most = size, [], 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and made.numel() == self.size:
            self.alive = [earlier for earlier in self.alive if earlier() is not None] + [weakref.ref(made)]
            self.most = max(self.most, len(self.alive))
        return made


def test_memory_does_not_grow_with_layers():
    layout = build_layout(range(2, 45), [range(2, 9)] * 2, [[3, 4]] * 2, alignment="right")
    length = len(layout.token_ids)
    peaks = []
    for layers in (2, 6):
        model = wire(model_of("llama", num_hidden_layers=layers), COLUMNAR)
        with _Peak(4 * length * length) as peak:
            read_weights(model, COLUMNAR, layout, lambda layer, weights: None)
        peaks.append(peak.most)
    assert peaks[0] == peaks[1] > 0


def test_a_cross_batch_module_is_refused(monkeypatch):
    model = wire(model_of("llama"), COLUMNAR)
    monkeypatch.setattr("pmind.analysis.finished.attached", lambda model: object())
    with pytest.raises(ModelError, match="cross-batch"):
        read_weights(model, COLUMNAR, SHAPES["ordinary"].layout("right"), lambda layer, weights: None)
