"""What a benchmark was measured on: without it, a time means nothing."""

import os
import platform
from collections.abc import Mapping

import torch
import transformers
from transformers import PretrainedConfig

from pmind.benchmark.memory import memory_source
from pmind.benchmark.roofline import Machine, linear_weights
from pmind.benchmark.runners.protocol import Runner, Setup
from pmind.benchmark.workload import Workload
from pmind.evaluation.conditions import cpu_name
from pmind.native import library

Conditions = dict[str, str | int | float]


def describe(
    model: str,
    setup: Setup,
    config: PretrainedConfig,
    workload: Workload,
    repeats: int,
    machine: Machine,
    runners: Mapping[str, Runner],
) -> Conditions:
    """Machine, versions, model and workload as flat values.

    Args:
        model: what to call it.
        setup: dtype, device and threads.
        config: of the model.
        workload: lengths of context, prompts and answers.
        repeats: timed runs of each row.
        machine: measured bandwidth and peak.
        runners: every method that was started.
    """
    device = torch.device(setup.device)
    return {
        **describe_machine(device, setup.threads, setup.dtype),
        **describe_model(model, config),
        "bandwidth_gb_per_s": round(machine.bandwidth / 1e9, 1),
        "peak_gflops": round(machine.peak / 1e9, 1),
        "compiled_column": "yes" if device.type == "cpu" and library.load() is not None else "no",
        "thread_waiting": os.environ.get("OMP_WAIT_POLICY", "spin, then sleep"),
        "context_tokens": workload.context_tokens,
        "prompt_tokens": workload.prompt_tokens,
        "answer_tokens": workload.answer_tokens,
        "repeats": repeats,
        "peak_memory_from": memory_source(setup.device),
        **{f"version_{name}": runner.version for name, runner in sorted(runners.items())},
    }


def describe_machine(device: torch.device, threads: int, dtype: str) -> Conditions:
    """What computes, and with which versions."""
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count() or 1,
        "threads": threads,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "dtype": dtype,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def describe_model(model: str, config: PretrainedConfig) -> Conditions:
    """A model's shape, and what it is called."""
    return {
        "model": model,
        "model_type": config.model_type,
        "layers": config.num_hidden_layers,
        "hidden_size": config.hidden_size,
        "multiplied_weights": linear_weights(config),
    }
