"""DESIGN 5.8: a training step by every fast attention is that of the dense reference, gradients included."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.attention import flex_attention

from pmind.models.settings import Settings
from pmind.training import attention
from pmind.training.attention import BLOCK
from pmind.training.batches import Collator, Sample, TrainingBatch
from pmind.training.loss import summed_loss
from pmind.visibility import VISIBILITIES
from tests.groups import SHAPES, Group, any_group, random_group
from tests.reference import LEGAL
from tests.tiny import KINDS, wired_model

pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
FAST = ("blocks", "flex")
TOLERANCE = {torch.float64: 1e-9, torch.float32: 2e-4}  # of the gradients' largest number
PADDED = [SHAPES[name] for name in ("ordinary", "empty_context", "one_branch", "wildly_unequal")]
LONG = random_group(BLOCK - 20, [9] * 16, [11] * 16)  # columns lie across the ends of blocks
HEADS = ((4, 4), (4, 2), (4, 1), (8, 2))  # of queries, of keys and values


@pytest.fixture(autouse=True)
def flex_backward_on_a_cpu(monkeypatch):
    """Torch refuses it at the door, though its own uncompiled backward pass computes it."""
    monkeypatch.setattr(flex_attention, "_validate_device", lambda *_: None)
    monkeypatch.setattr(attention, "FLEX_DEVICES", ("cpu", "cuda"))


def settings_of(visibility: str, alignment: str) -> Settings:
    return Settings(rope_2d_ratio=0.25, branch_stride=16, alignment=alignment, visibility=visibility)


def batch_of(groups: Sequence[Group], alignment: str) -> TrainingBatch:
    samples = [Sample(group.context, group.prompts, group.answers, [True] * len(group.prompts)) for group in groups]
    return Collator(alignment, 0, 0)(samples)


def loss_and_gradients(model: nn.Module, batch: TrainingBatch, visibility: str, name: str) -> list[Tensor]:
    model.zero_grad()
    loss = summed_loss(model, batch, VISIBILITIES[visibility], name)
    loss.backward()
    return [loss.detach(), *(parameter.grad.clone() for parameter in model.parameters())]


def assert_same(actual: Sequence[Tensor], expected: Sequence[Tensor], tolerance: float) -> None:
    largest = max(float(tensor.abs().max()) for tensor in expected[1:])
    assert largest > 0.01
    assert actual[0].item() == pytest.approx(expected[0].item(), rel=1e-5)
    for ours, theirs in zip(actual[1:], expected[1:], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance * largest)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_every_visibility_and_alignment_in_a_padded_batch(visibility, alignment, name, dtype):
    model = wired_model("llama_gqa", settings_of(visibility, alignment), dtype)
    batch = batch_of([*PADDED, LONG], alignment)
    expected = loss_and_gradients(model, batch, visibility, "dense")
    assert_same(loss_and_gradients(model, batch, visibility, name), expected, TOLERANCE[dtype])


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model(kind, name):
    model = wired_model(kind, settings_of("columnar", "right"), torch.float64)
    batch = batch_of(PADDED, "right")
    expected = loss_and_gradients(model, batch, "columnar", "dense")
    assert_same(loss_and_gradients(model, batch, "columnar", name), expected, TOLERANCE[torch.float64])


@pytest.mark.parametrize("name", FAST)
@pytest.mark.parametrize(("heads", "groups"), HEADS)
def test_every_number_of_heads(heads, groups, name):
    changes = {"num_attention_heads": heads, "num_key_value_heads": groups}
    model = wired_model("llama", settings_of("columnar", "right"), torch.float64, **changes)
    batch = batch_of([*PADDED, LONG], "right")
    expected = loss_and_gradients(model, batch, "columnar", "dense")
    assert_same(loss_and_gradients(model, batch, "columnar", name), expected, TOLERANCE[torch.float64])


@pytest.mark.parametrize("name", FAST)
@given(groups=st.lists(any_group(), min_size=1, max_size=3), legal=st.sampled_from(LEGAL))
def test_drawn_batches(name, groups, legal):
    visibility, alignment = legal
    model = wired_model("llama_gqa", settings_of(visibility, alignment), torch.float64)
    batch = batch_of(groups, alignment)
    expected = loss_and_gradients(model, batch, visibility, "dense")
    assert_same(loss_and_gradients(model, batch, visibility, name), expected, TOLERANCE[torch.float64])


@pytest.mark.parametrize("name", FAST)
def test_gradient_checkpointing(name):
    """Layers run again in the backward pass, and get the attention again."""
    model = wired_model("llama_gqa", settings_of("columnar", "right"), torch.float64).train()
    batch = batch_of([*PADDED, LONG], "right")
    expected = loss_and_gradients(model, batch, "columnar", "dense")
    model.gradient_checkpointing_enable({"use_reentrant": False})
    assert model.is_gradient_checkpointing
    assert_same(loss_and_gradients(model, batch, "columnar", name), expected, TOLERANCE[torch.float64])


@pytest.mark.parametrize("name", FAST)
def test_autocast(name):
    """As far from float32 as the dense reference under autocast, not farther."""
    model = wired_model("llama_gqa", settings_of("columnar", "right"))
    batch = batch_of([*PADDED, LONG], "right")
    exact = loss_and_gradients(model, batch, "columnar", "dense")
    with torch.autocast("cpu", torch.bfloat16):
        rounded = loss_and_gradients(model, batch, "columnar", "dense")
        ours = loss_and_gradients(model, batch, "columnar", name)
    assert ours[0].dtype == torch.float32
    assert abs(ours[0] - exact[0]) <= max(2 * abs(rounded[0] - exact[0]), 0.005 * exact[0])

    def away(gradients: Sequence[Tensor]) -> float:
        return sum(float((one - two).square().sum()) for one, two in zip(gradients[1:], exact[1:], strict=True)) ** 0.5

    assert 0 < away(ours) <= 1.5 * away(rounded)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_compiled_on_a_gpu(visibility):
    model = wired_model("llama_gqa", settings_of(visibility, "right")).cuda()
    for groups in (PADDED, [*PADDED, LONG], [LONG]):  # lengths change between batches
        batch = batch_of(groups, "right").to(torch.device("cuda"))
        expected = loss_and_gradients(model, batch, visibility, "dense")
        assert_same(loss_and_gradients(model, batch, visibility, "auto"), expected, 5e-3)
