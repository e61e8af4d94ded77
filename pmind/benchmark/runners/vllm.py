"""vLLM in this process, on CPUs or GPUs: continuous batching with blocks of a shared prefix reused."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from types import ModuleType

from pmind.benchmark.runners.checks import check_room
from pmind.benchmark.runners.protocol import Run, Setup
from pmind.decoding.branches import GroupRequest
from pmind.errors import DecodingError
from pmind.methods.vllm_start import CPU_BLOCK, Room, load_vllm, start_vllm


def start(setup: Setup) -> VllmRunner:
    """Load the model of SETUP.

    Raises:
        ModelError: the package is missing, or the dtype or device cannot be run.
    """
    return VllmRunner(load_vllm(setup.dtype, setup.device), setup)


class VllmRunner:
    """An engine of vLLM that is driven step by step.

    Call ``reset`` before each ``run``; a run that finds blocks cached drops them on the clock.
    """

    def __init__(self, vllm: ModuleType, setup: Setup) -> None:
        self.version: str = vllm.__version__
        self._vllm = vllm
        self._setup = setup
        self._requests = 0
        self._llm = start_vllm(
            vllm,
            setup.folder,
            dtype=setup.dtype,
            device=setup.device,
            threads=setup.threads,
            room=_room(setup),
            skip_tokenizer_init=True,
        )

    def reset(self) -> None:
        """Forget the prefixes read.

        Raises:
            DecodingError: vLLM still works on a request.
        """
        if not self._llm.reset_prefix_cache():
            raise DecodingError("vllm did not drop its prefix cache, an earlier group is unfinished; start it anew")

    def run(self, request: GroupRequest, answer_tokens: int) -> Run:
        """Answer REQUEST: a request for one token reads the context, then all questions go in at once."""
        check_room(request, answer_tokens, self._setup)
        begin = time.perf_counter()
        self.reset()
        if request.context:
            self._drain([self._add(request.context, 1)], begin)
        names = [self._add((*request.context, *prompt), answer_tokens) for prompt in request.prompts]
        answers, first_token_s, prefill_s = self._drain(names, begin)
        return Run(answers, first_token_s, prefill_s, answer_tokens - 1)

    def close(self) -> None:
        """Stop the engine and free its memory."""
        from vllm.distributed import cleanup_dist_env_and_memory

        self._llm.llm_engine.engine_core.shutdown()
        del self._llm
        gc.collect()
        cleanup_dist_env_and_memory()

    def _add(self, tokens: Sequence[int], new_tokens: int) -> str:
        self._requests += 1
        name = str(self._requests)
        options = self._vllm.SamplingParams(
            temperature=0,
            max_tokens=new_tokens,
            ignore_eos=True,
            detokenize=False,
            output_kind=self._vllm.sampling_params.RequestOutputKind.DELTA,
        )
        self._llm.llm_engine.add_request(name, {"prompt_token_ids": list(tokens)}, options)
        return name

    def _drain(self, names: Sequence[str], begin: float) -> tuple[tuple[tuple[int, ...], ...], float, float]:
        """Work until all is answered; answers, seconds since BEGIN until one and until every request had a token."""
        engine = self._llm.llm_engine
        answers: dict[str, list[int]] = {name: [] for name in names}
        first = every = None
        while engine.has_unfinished_requests():
            for output in engine.step():
                answers[output.request_id] += output.outputs[0].token_ids
            if every is None:
                now = time.perf_counter() - begin
                first = now if first is None and any(answers.values()) else first
                every = now if all(answers.values()) else None
        return tuple(tuple(answer) for answer in answers.values()), first, every


def _room(setup: Setup) -> Room:
    """For one group, whose cache is twice what it fills, and no less than vLLM wants for its warm-up."""
    branch = setup.prompt_tokens + setup.answer_tokens
    cache_tokens = 2 * (setup.context_tokens + CPU_BLOCK + setup.most_branches * (branch + 2 * CPU_BLOCK))
    return Room(setup.context_tokens + branch, setup.most_branches, cache_tokens)
