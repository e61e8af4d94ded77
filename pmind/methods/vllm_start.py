"""vLLM started in this process, on CPUs or GPUs."""

import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from transformers import AutoConfig

from pmind.decoding.cache import kv_bytes_per_token
from pmind.models.engines import check_kind, load_package
from pmind.models.loading import DTYPES

RUNS = ("float32", "bfloat16", "float16")
CPU_BLOCK = 32  # tokens of a cache block; only whole ones are shared


@dataclass(frozen=True)
class Room:
    """What an engine of vLLM is started for.

    Attributes:
        length: most tokens of a sequence, its answer included.
        sequences: most of them under way at a time.
        cache_tokens: whose keys and values are kept, on a CPU; on a GPU vLLM takes what memory there is.
    """

    length: int
    sequences: int
    cache_tokens: int


def load_vllm(dtype: str, device: str) -> ModuleType:
    """Import vLLM with the settings that it reads at that moment; those of the user stay.

    Raises:
        ModelError: the package is missing, or the dtype or device cannot be run.
    """
    check_kind(dtype, device, engine="vllm", dtypes=RUNS, devices=("cpu", "cuda"))
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    if device == "cpu":  # processes of its own would compete with each other for few cores
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    return load_package("vllm", engine="vllm", distribution="vllm", extra="vllm")


def start_vllm(
    vllm: ModuleType, folder: Path, *, dtype: str, device: str, threads: int, room: Room, **options: Any
) -> Any:
    """A ``vllm.LLM`` that keeps the prefixes it read.

    Args:
        vllm: from :func:`load_vllm`.
        folder: of a stock model.
        dtype: of weights and cache.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads.
        room: what it is started for.
        **options: further ones of ``vllm.LLM``.
    """
    options |= {
        "model": str(folder),
        "dtype": dtype,
        "enable_prefix_caching": True,
        "max_model_len": room.length,
        "max_num_batched_tokens": max(2048, room.length),
        "max_num_seqs": room.sequences,
        "disable_log_stats": True,
    }
    if device == "cpu":  # compiling takes minutes; memory would be taken for the cache to 92 %
        size = kv_bytes_per_token(AutoConfig.from_pretrained(folder), DTYPES[dtype]) * room.cache_tokens
        options |= {"enforce_eager": True, "block_size": CPU_BLOCK, "kv_cache_memory_bytes": size}
    set_threads = torch.set_num_threads
    set_threads(threads)
    llm = vllm.LLM(**options)
    torch.set_num_threads = set_threads  # on CPUs vLLM replaces it, for everyone, by one that does nothing
    return llm
