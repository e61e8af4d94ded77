"""What a machine can do at most, measured: bytes a second, and floating-point operations a second."""

import time
from collections.abc import Callable

import torch
from torch import Tensor

READ_BYTES = 1 << 30
MATRIX = 4096  # rows and columns of the product that gives the peak; a half of it on CPUs
TRIALS = 5


def measure_bandwidth(device: torch.device) -> float:
    """Bytes a second, the best of large reads and copies."""
    source = torch.ones(READ_BYTES // 4, device=device)
    target = torch.empty_like(source)
    read = source.nbytes / _fastest(lambda: source.sum(), device)
    copied = 2 * source.nbytes / _fastest(lambda: target.copy_(source), device)
    return max(read, copied)


def measure_peak(dtype: torch.dtype, device: torch.device, size: int | None = None) -> float:
    """Floating-point operations a second of a large matrix product, with the threads that torch uses now.

    Args:
        dtype: of the matrices.
        device: where they lie.
        size: their rows and columns; ``None`` takes enough for a benchmark, which a CPU works at for seconds.
    """
    size = size or (MATRIX if device.type == "cuda" else MATRIX // 2)
    if device.type == "cpu" and dtype == torch.float16:
        dtype = torch.float32  # CPUs multiply it widened; torch's own product takes a thousand times longer
    apart = torch.Generator(device).manual_seed(0)  # a training run's own random numbers stay what they are
    matrix = torch.randn(size, size, dtype=torch.float32, device=device, generator=apart).to(dtype)
    products: list[Callable[[], Tensor]] = [lambda: matrix @ matrix]
    if device.type == "cpu" and torch.backends.mkldnn.is_available() and dtype != torch.float64:
        packed = torch.ops.mkldnn._reorder_linear_weight(matrix, size)  # torch's own product is slow on some CPUs
        products.append(lambda: torch.ops.mkldnn._linear_pointwise(matrix, packed, None, "none", [], ""))
    return max(2 * size**3 / _fastest(product, device) for product in products)


def _fastest(work: Callable[[], object], device: torch.device) -> float:
    seconds = []
    for _ in range(1 + TRIALS):
        wait_for(device)
        began = time.perf_counter()
        work()
        wait_for(device)
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def wait_for(device: torch.device) -> None:
    """Wait until a device has done what it was told to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
