"""The least time that a column can take: bytes over bandwidth, or operations over peak.

A column reads every weight once (a tied embedding once, an input embedding's unread rows not at
all) and the keys and values of the context and of every branch once::

    bytes = weights + k (C + sum of L)            k: bytes of keys and values a token
    flops = 2 (weights) N + 4 layers H D (C + L) N
    floor = max(bytes / bandwidth, flops / peak)  (Williams et al., Roofline, 2009)
"""

from dataclasses import dataclass

import torch
from transformers import PretrainedConfig

from pmind.benchmark.workload import Workload
from pmind.decoding.cache import kv_bytes_per_token, kv_shape
from pmind.hardware import measure_bandwidth, measure_peak


@dataclass(frozen=True)
class Machine:
    """What the machine can do at most, measured.

    Attributes:
        bandwidth: bytes a second, the best of large reads and copies.
        peak: floating-point operations a second of a large matrix product in the benchmark's dtype.
    """

    bandwidth: float
    peak: float

    def best(self, other: "Machine") -> "Machine":
        """The better of two measurements: on a shared machine both come and go."""
        return Machine(max(self.bandwidth, other.bandwidth), max(self.peak, other.peak))


@dataclass(frozen=True)
class Floor:
    """What one column must read and compute, and the least time for it."""

    bytes: int
    flops: int
    milliseconds: float


def measure_machine(dtype: torch.dtype, device: torch.device) -> Machine:
    """Bandwidth and peak with the threads that torch uses now."""
    return Machine(measure_bandwidth(device), measure_peak(dtype, device))


def column_floor(config: PretrainedConfig, dtype: torch.dtype, work: Workload, questions: int, at: Machine) -> Floor:
    """The floor of a column in which QUESTIONS branches take one token each, halfway through the answers."""
    weights = linear_weights(config)
    layers, _, head_size = kv_shape(config)
    own = work.prompt_tokens + (work.answer_tokens - 1) // 2  # tokens of a branch halfway
    stored = work.context_tokens + questions * own
    size = weights * dtype.itemsize + kv_bytes_per_token(config, dtype) * stored
    attended = 4 * layers * config.num_attention_heads * head_size * (work.context_tokens + own)
    flops = questions * (2 * weights + attended)
    return Floor(size, flops, 1000 * max(size / at.bandwidth, flops / at.peak))


def linear_weights(config: PretrainedConfig) -> int:
    """Weights that every token is multiplied with: all layers' matrices and the output head."""
    layers, kv_heads, head_size = kv_shape(config)
    hidden, inner = config.hidden_size, config.intermediate_size
    queries, keys = config.num_attention_heads * head_size, kv_heads * head_size
    layer = hidden * (queries + 2 * keys) + queries * hidden + 3 * hidden * inner
    return layers * layer + hidden * config.vocab_size


def kv_bytes_predicted(config: PretrainedConfig, dtype: torch.dtype, work: Workload, questions: int) -> int:
    """k (C + sum of L): the context once, and every branch's prompt and answer but for its last token."""
    own = work.prompt_tokens + work.answer_tokens - 1
    return kv_bytes_per_token(config, dtype) * (work.context_tokens + questions * own)
