"""OpenVINO GenAI on the CPU: continuous batching with blocks of a shared prefix reused."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from pmind.benchmark.runners.checkpoint import read_checkpoint
from pmind.benchmark.runners.checks import check_room
from pmind.benchmark.runners.openvino_graph import save_graph
from pmind.benchmark.runners.protocol import Run, Setup
from pmind.decoding.branches import GroupRequest
from pmind.errors import ModelError
from pmind.models.engines import check_kind, load_package

if TYPE_CHECKING:  # an optional package: the module must load without it
    from openvino_genai import GenerationHandle, SchedulerConfig

PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}
BLOCK = 32  # tokens of a cache block on CPUs


def start(setup: Setup) -> OpenVinoRunner:
    """Convert the model of SETUP and load it.

    Raises:
        ModelError: a package is missing, the model cannot be converted, or the dtype or device cannot be run.
    """
    check_kind(setup.dtype, setup.device, engine="openvino", dtypes=PRECISIONS, devices=("cpu",))
    names = {"engine": "openvino", "distribution": "openvino-genai", "extra": "openvino"}
    core = load_package("openvino", **names).Core()
    genai = load_package("openvino_genai", **names)
    if setup.dtype == "bfloat16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise ModelError("openvino would run bfloat16 in float32 on this processor; set dtype to float32")
    return OpenVinoRunner(genai, setup)


class OpenVinoRunner:
    """A pipeline of OpenVINO GenAI, built anew for every run so that no block of a context is left.

    Call ``reset`` before each ``run``; a run that finds the pipeline used resets it on the clock.
    Only whole blocks of a context are shared: version 2026.4.1 also gives a block that is filled in
    part to every question, where they overwrite each other and all but one answer are wrong.
    """

    def __init__(self, genai: ModuleType, setup: Setup) -> None:
        self.version: str = genai.__version__
        self._genai = genai
        self._setup = setup
        self._folder = TemporaryDirectory(prefix="pmind-openvino-")
        _convert(setup.folder, Path(self._folder.name))
        self.reset()

    def reset(self) -> None:
        """Build an empty pipeline and warm it up on tokens of no context; takes as long as a short run."""
        setup, genai = self._setup, self._genai
        precision = PRECISIONS[setup.dtype]
        properties = {
            "INFERENCE_NUM_THREADS": setup.threads,
            "INFERENCE_PRECISION_HINT": precision,
            "KV_CACHE_PRECISION": precision,
            "sampler_num_threads": setup.threads,
        }
        self._pipeline = None  # frees the old one before there is a new one
        self._pipeline = genai.ContinuousBatchingPipeline(self._folder.name, self._scheduler(), "CPU", properties)
        self._requests = 0
        self._answer(_warm_up_group(setup), answer_tokens=2)
        self._fresh = True

    def run(self, request: GroupRequest, answer_tokens: int) -> Run:
        """Answer REQUEST: a request for one token reads the context, then all questions go in at once."""
        check_room(request, answer_tokens, self._setup)
        if not self._fresh:
            self.reset()
        self._fresh = False
        return self._answer(request, answer_tokens)

    def close(self) -> None:
        """Drop the pipeline and the converted files."""
        self._pipeline = None
        self._folder.cleanup()

    def _answer(self, request: GroupRequest, answer_tokens: int) -> Run:
        begin = time.perf_counter()
        whole_blocks = request.context[: len(request.context) // BLOCK * BLOCK]
        if whole_blocks:
            self._drain([self._add(whole_blocks, 1)], begin)
        handles = [self._add((*request.context, *prompt), answer_tokens) for prompt in request.prompts]
        first_token_s, prefill_s = self._drain(handles, begin)
        metrics = self._pipeline.get_metrics()
        return Run(
            answers=tuple(tuple(handle.read_all()[0].generated_ids) for handle in handles),
            first_token_s=first_token_s,
            prefill_s=prefill_s,
            columns=answer_tokens - 1,
            kv_bytes=round(metrics.cache_size_in_bytes * metrics.cache_usage / 100),
        )

    def _add(self, tokens: Sequence[int], new_tokens: int) -> GenerationHandle:
        from openvino import Tensor

        self._requests += 1
        options = self._genai.GenerationConfig(max_new_tokens=new_tokens, eos_token_id=0, ignore_eos=True)
        return self._pipeline.add_request(self._requests, Tensor(np.array([tokens], dtype=np.int64)), options)

    def _drain(self, handles: Sequence[GenerationHandle], begin: float) -> tuple[float, float]:
        """Work until all is answered; seconds since BEGIN until one and until every handle had a token."""
        first = every = None
        while self._pipeline.has_non_finished_requests():
            self._pipeline.step()
            if every is None:
                ready = [handle.can_read() for handle in handles]
                now = time.perf_counter() - begin
                first = now if first is None and any(ready) else first
                every = now if all(ready) else None
        return first, every

    def _scheduler(self) -> SchedulerConfig:
        setup = self._setup
        scheduler = self._genai.SchedulerConfig()
        scheduler.enable_prefix_caching = True
        scheduler.max_num_seqs = setup.most_branches
        scheduler.max_num_batched_tokens = max(2048, setup.most_branches * (setup.prompt_tokens + BLOCK))
        group = _blocks(setup.context_tokens) + setup.most_branches * _blocks(setup.prompt_tokens + setup.answer_tokens)
        scheduler.num_kv_blocks = 2 * group  # of the warm-up and of the run
        return scheduler


def _blocks(tokens: int) -> int:
    return -(-tokens // BLOCK) + 1  # a text may begin in the middle of a block


def _warm_up_group(setup: Setup) -> GroupRequest:
    prompt = (1,) * setup.prompt_tokens
    return GroupRequest((0, 1) * (setup.context_tokens // 2), (prompt,) * setup.most_branches)


def _convert(source: Path, folder: Path) -> None:
    save_graph(read_checkpoint(source), folder / "openvino_model.xml")
    shutil.copy(source / "config.json", folder)
