import pytest
import torch
from torch import nn

from pmind.errors import ModelError
from pmind.native.linear import PANEL, PackedLinear, room_for

pytestmark = pytest.mark.usefixtures("needs_compiler")
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 0.02}  # of outputs about 1 in size


def linear_of(inputs: int, outputs: int, dtype=torch.float32, bias=True) -> nn.Linear:
    torch.manual_seed(inputs + outputs)
    return nn.Linear(inputs, outputs, bias=bias, dtype=dtype)


def packed(linear: nn.Linear) -> PackedLinear:
    return PackedLinear(linear, room_for([linear], linear.weight.dtype)[0])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(("inputs", "outputs"), [(34, 1), (64, 31), (48, 32), (600, 70)])
def test_equals_the_layer_it_packs(inputs, outputs, dtype, bias, threads):
    """Any number of rows: tiles hold up to 12, and with more than two of them inputs come in blocks of 256."""
    linear = linear_of(inputs, outputs, dtype, bias)
    layer = packed(linear)
    linear.double()
    torch.set_num_threads(threads)
    for rows in (1, 2, 7, 8, 12, 13, 25, 40):
        x = torch.randn(rows, inputs).to(dtype)
        with torch.no_grad():
            expected = linear(x.double())
        y = layer(x)
        assert y.dtype == dtype
        torch.testing.assert_close(y.double(), expected, rtol=0, atol=TOLERANCE[dtype])


def test_a_row_comes_out_the_same_whatever_its_company():
    layer, x = packed(linear_of(600, 70)), torch.randn(40, 600)
    together = layer(x)
    assert all(layer(x[row : row + 1]).equal(together[row : row + 1]) for row in range(40))
    assert layer(x[:13]).equal(together[:13])


@pytest.mark.parametrize("shape", [(34,), (0, 34), (2, 3, 34), (2, 0, 34)])
def test_any_number_of_axes_and_no_rows(shape):
    linear = linear_of(34, 5)
    x = torch.randn(shape)
    torch.testing.assert_close(packed(linear)(x), linear(x).detach(), rtol=0, atol=1e-5)


def test_inputs_that_lie_apart_or_come_in_another_dtype():
    linear = linear_of(34, 5)
    x = torch.randn(34, 7).T
    expected = linear(x).detach()
    torch.testing.assert_close(packed(linear)(x), expected, rtol=0, atol=1e-5)
    torch.testing.assert_close(packed(linear)(x.double()), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_layers_side_by_side_share_one_stretch_of_memory(dtype):
    linears = [linear_of(34, 5, dtype), linear_of(8, 40, dtype), linear_of(6, 33, dtype)]
    room = room_for(linears, dtype)
    layers = [PackedLinear(*pair) for pair in zip(linears, room, strict=True)]
    assert len({part.untyped_storage().data_ptr() for part in room}) == 1
    assert all(part.data_ptr() % 64 == 0 for part in room)
    for linear, layer in zip(linears, layers, strict=True):
        x = torch.randn(3, linear.in_features).to(dtype)
        torch.testing.assert_close(layer(x), linear(x).detach(), rtol=0, atol=TOLERANCE[dtype])


def test_outputs_beyond_the_last_are_zero_weights():
    layer = packed(linear_of(4, 33, bias=False))
    lines = layer.weight.view(2, 4, PANEL)  # [panels, inputs, 32]
    assert (lines[1, :, 1:] == 0).all()
    assert (lines[1, :, 0] != 0).all()


def test_the_bias_is_float32_whatever_the_default():
    linear = linear_of(4, 5)
    torch.set_default_dtype(torch.float64)
    try:
        layer = packed(linear)
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(layer(torch.ones(1, 4)), linear(torch.ones(1, 4)).detach())


def test_it_cannot_be_moved_or_converted():
    """The kernel reads the weights at their address: a copy elsewhere would leave it reading freed memory."""
    layer = packed(linear_of(4, 5))
    assert layer.to("cpu", torch.float32) is layer
    for change in (layer.double, layer.bfloat16, nn.Sequential(layer).half):
        with pytest.raises(ModelError, match="cannot be moved or converted"):
            change()
    assert layer(torch.ones(1, 4)).isfinite().all()
