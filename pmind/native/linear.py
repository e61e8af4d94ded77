"""A linear layer whose weights lie in memory as the compiled kernel reads them."""

import ctypes
from collections.abc import Callable

import torch
from torch import Tensor, nn

from pmind.errors import ModelError
from pmind.native.library import Packed, load

PANEL = 32  # outputs a panel, as in kernel.cpp
LINE = 32  # elements; at least a cache line of any dtype
HUGE_PAGE = 2 << 20  # bytes
MADV_HUGEPAGE = 14


class PackedLinear(nn.Module):
    """Drop-in for inference: ``y = x W^T + b`` on packed weights.

    Args:
        linear: the layer to pack; its inputs must be even in bfloat16.
        room: :func:`packed_size` elements to pack it into.
    """

    def __init__(self, linear: nn.Linear, room: Tensor) -> None:
        super().__init__()
        self.out_features, self.in_features = linear.weight.shape
        panels = -(-self.out_features // PANEL)
        weight = linear.weight.detach().contiguous()
        self.register_buffer("panels", room, persistent=False)
        load().pmind_pack(weight.data_ptr(), self.panels.data_ptr(), *weight.shape, self._half)
        bias = None
        if linear.bias is not None:
            bias = torch.zeros(panels * PANEL, dtype=torch.float32)
            bias[: self.out_features] = linear.bias.detach()
        self.register_buffer("bias", bias, persistent=False)
        self.packed = Packed(
            self.panels.data_ptr(), bias.data_ptr() if bias is not None else None, self.out_features, self.in_features
        )

    @property
    def weight(self) -> Tensor:
        """The packed weights; their dtype and device are the layer's."""
        return self.panels

    @property
    def _half(self) -> int:
        return int(self.panels.dtype == torch.bfloat16)

    def forward(self, x: Tensor) -> Tensor:
        """``[..., inputs]`` to ``[..., outputs]``, in the dtype of the weights."""
        x = x.to(self.panels.dtype).contiguous()
        y = x.new_empty(*x.shape[:-1], self.out_features)
        tokens = x.numel() // self.in_features
        threads = torch.get_num_threads()
        if tokens:
            load().pmind_linear(ctypes.byref(self.packed), x.data_ptr(), y.data_ptr(), tokens, self._half, threads)
        return y

    def _apply(self, change: Callable[[Tensor], Tensor], recurse: bool = True) -> "PackedLinear":
        """What ``to()``, ``half()`` and their kin call: the kernel knows the weights by their address."""
        if change(self.panels).data_ptr() != self.packed.panels:
            raise ModelError("a packed model cannot be moved or converted; do that before pack()")
        return self


def packed_size(linear: nn.Linear) -> int:
    """Elements that LINEAR takes when packed: whole panels, in whole cache lines."""
    size = -(-linear.out_features // PANEL) * PANEL * linear.in_features
    return -(-size // LINE) * LINE


def room_for(linears: list[nn.Linear], dtype: torch.dtype) -> list[Tensor]:
    """One stretch of memory in huge pages, cut up for LINEARS: small pages cost a tenth of the bandwidth."""
    sizes = [packed_size(linear) for linear in linears]
    spare = HUGE_PAGE // dtype.itemsize
    memory = torch.empty(sum(sizes) + spare, dtype=dtype)
    skipped = -memory.data_ptr() % HUGE_PAGE // dtype.itemsize
    memory = memory[skipped : skipped + sum(sizes)]
    _ask_for_huge_pages(memory)
    return list(memory.split(sizes))


def _ask_for_huge_pages(memory: Tensor) -> None:
    advise = getattr(ctypes.CDLL(None), "madvise", None)
    if advise is not None:  # only advice: what it returns does not matter
        advise(ctypes.c_void_p(memory.data_ptr()), ctypes.c_size_t(memory.nbytes), MADV_HUGEPAGE)
