"""What a benchmark was measured on: without it, a time means nothing."""

import os
import platform
from pathlib import Path

import torch
import transformers

from pmind.benchmark.memory import memory_source
from pmind.benchmark.workload import Workload
from pmind.decoding.decoder import ParallelDecoder

CPU_INFO = Path("/proc/cpuinfo")

Conditions = dict[str, str | int | float]


def describe(decoder: ParallelDecoder, model: str, workload: Workload, repeats: int) -> Conditions:
    """Machine, versions, model and workload as flat values.

    Args:
        decoder: the model that was timed; ``parallel`` ran with its own visibility.
        model: what to call it.
        workload: lengths of context, prompts and answers.
        repeats: timed runs of each row.
    """
    weights, settings = decoder.model, decoder.settings
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "device": _device_name(weights.device),
        "dtype": str(weights.dtype).removeprefix("torch."),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "model": model,
        "model_parameters": weights.num_parameters(),
        "visibility": settings.visibility,
        "alignment": settings.alignment,
        "rope_2d_ratio": settings.rope_2d_ratio,
        "context_tokens": workload.context_tokens,
        "prompt_tokens": workload.prompt_tokens,
        "answer_tokens": workload.answer_tokens,
        "repeats": repeats,
        "peak_memory_from": memory_source(str(weights.device)),
    }


def _cpu_name() -> str:
    lines = CPU_INFO.read_text(encoding="utf-8").splitlines() if CPU_INFO.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
