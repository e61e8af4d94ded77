"""The part of vLLM that is used here, by a stock model: for tests where vLLM is not installed.

Only what :mod:`pmind.methods.vllm` asks for exists; an unknown option is an error, as it is with vLLM.
"""

from dataclasses import dataclass, field
from types import SimpleNamespace

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

__version__ = "stand-in"


@dataclass(frozen=True)
class SamplingParams:
    temperature: float
    max_tokens: int
    stop: list[str] = field(default_factory=list)
    ignore_eos: bool = False
    stop_token_ids: list[int] = field(default_factory=list)
    prompt_logprobs: int | None = None
    detokenize: bool = True


class LLM:
    """Reads one prompt after the other; its prefix cache holds whole blocks."""

    def __init__(
        self,
        *,
        model,
        dtype,
        enable_prefix_caching,
        max_model_len,
        max_num_batched_tokens,
        max_num_seqs,
        disable_log_stats,
        enforce_eager,
        block_size,
        kv_cache_memory_bytes,
    ):
        assert enable_prefix_caching and kv_cache_memory_bytes > 0 and max_num_batched_tokens >= max_model_len
        self._length, self._block, self._known = max_model_len, block_size, set()
        self._model = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, dtype)).eval()
        self._tokenizer = AutoTokenizer.from_pretrained(model)

    def reset_prefix_cache(self):
        self._known.clear()
        return True

    def generate(self, prompts, sampling_params, *, use_tqdm):
        asked = zip(prompts, sampling_params, strict=True)
        return [self._answer(prompt["prompt_token_ids"], params) for prompt, params in asked]

    def _answer(self, ids, params):
        assert params.temperature == 0 and params.ignore_eos == (params.prompt_logprobs is None)
        if len(ids) + 1 > self._length:
            raise ValueError("The prompt is longer than the maximum model length")
        cached = 0 if params.prompt_logprobs is not None else self._cached(ids)
        new, reason = self._continue(ids, params)
        told = None if params.prompt_logprobs is None else self._told(ids)
        completion = SimpleNamespace(token_ids=new, finish_reason=reason)
        return SimpleNamespace(
            prompt_token_ids=ids, num_cached_tokens=cached, outputs=[completion], prompt_logprobs=told
        )

    def _cached(self, ids):
        ends = range(self._block, len(ids), self._block)  # the last token is always read
        known = max((end for end in ends if tuple(ids[:end]) in self._known), default=0)
        self._known |= {tuple(ids[:end]) for end in ends}
        return known

    def _continue(self, ids, params):
        new = []
        while len(new) < params.max_tokens and len(ids) + len(new) < self._length:
            new.append(int(self._logits([*ids, *new])[-1].argmax()))
            text = self._tokenizer.decode(new, skip_special_tokens=True)
            if new[-1] in params.stop_token_ids or any(stop in text for stop in params.stop):
                return new, "stop"
        return new, "length"

    def _told(self, ids):
        logs = self._logits(ids).log_softmax(-1)
        return [
            None,
            *(
                {token: SimpleNamespace(logprob=float(row[token]))}
                for row, token in zip(logs[:-1], ids[1:], strict=True)
            ),
        ]

    def _logits(self, ids):
        with torch.inference_mode():
            return self._model(torch.tensor([ids])).logits[0]
