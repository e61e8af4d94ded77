"""What an evaluation was run on and how its questions were put: what its numbers depend on."""

import os
import platform
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, PretrainedConfig

from pmind.decoding.decoder import ParallelDecoder
from pmind.evaluation.suite import Plan
from pmind.native.column import supports
from pmind.params import TaskParams

CPU_INFO = Path("/proc/cpuinfo")


def describe(
    decoder: ParallelDecoder, plan: Plan, asked: TaskParams, repeats: int, confidence: float, processes: int
) -> dict[str, Any]:
    """Machine, versions, model, and how the questions were grouped and put."""
    config = decoder.model.config
    return {
        "model": plan.model,
        "model_type": config.model_type,
        "parameters": count_parameters(config),
        "own_prompts": bool(decoder.settings.prompt_template),
        "visibility": decoder.settings.visibility,
        "alignment": decoder.settings.alignment,
        "rope_2d_ratio": decoder.settings.rope_2d_ratio,
        "dataset": plan.dataset,
        "source": os.path.basename(plan.source.rstrip("/")) or plan.source,  # noqa: PTH119  a Hub id is no path
        "grouping": asked.grouping,
        "max_questions": asked.max_questions,
        "max_context_tokens": asked.max_context_tokens,
        "long_contexts": asked.long_contexts,
        "max_new_tokens": plan.max_new_tokens,
        "cpu": cpu_name(),
        "dtype": plan.settings["dtype"],
        "device": plan.settings["device"],
        "threads": torch.get_num_threads(),
        "processes": processes,
        "repeats": repeats,
        "confidence": confidence,
        "compiled_column": "yes" if supports(decoder.model) else "no",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def count_parameters(config: PretrainedConfig) -> int:
    """Weights of a model of CONFIG, tied ones once; a packed model no longer holds them as parameters."""
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config).num_parameters()


def cpu_name() -> str:
    """The processor as the system calls it."""
    lines = CPU_INFO.read_text(encoding="utf-8").splitlines() if CPU_INFO.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
