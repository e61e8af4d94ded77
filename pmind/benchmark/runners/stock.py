"""Stock transformers: ``generate`` one question at a time, in a batch, and beside a shared cache."""

import time
from collections.abc import Callable, Sequence

import torch
import transformers
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel, StoppingCriteria, StoppingCriteriaList

from pmind.benchmark.runners.protocol import AnswerTokens, Run
from pmind.decoding.branches import GroupRequest

Answer = Callable[["_Call"], AnswerTokens]


class StockRunner:
    """Answers groups with ``model.generate``.

    Args:
        model: as transformers loads it.
        answer: one of :func:`sequential`, :func:`batch`, :func:`batch_cached` and :func:`all_in_one`.
    """

    def __init__(self, model: PreTrainedModel, answer: Answer) -> None:
        self.version = f"transformers {transformers.__version__}"
        self._model, self._answer = model, answer

    def reset(self) -> None:
        """Nothing is kept between runs."""

    @torch.inference_mode()
    def run(self, request: GroupRequest, answer_tokens: int) -> Run:
        """See :class:`pmind.benchmark.runners.protocol.Runner`."""
        call = _Call(self._model, request, answer_tokens)
        answers = self._answer(call)
        return Run(answers, call.first_token_s, call.prefill_s, call.columns, call.kv_bytes)

    def close(self) -> None:
        """Nothing to give back; models are shared between runners."""


def sequential(call: "_Call") -> AnswerTokens:
    """One question at a time, the context read anew for each."""
    context = call.request.context
    return tuple(call.generate([[*context, *prompt]])[0] for prompt in call.request.prompts)


def batch(call: "_Call") -> AnswerTokens:
    """All questions along the batch axis, the context repeated in every row."""
    return call.generate([[*call.request.context, *prompt] for prompt in call.request.prompts])


def batch_cached(call: "_Call") -> AnswerTokens:
    """The context read once, its cache repeated over the rows of a batch."""
    request = call.request
    if not request.context:
        return batch(call)
    cache = call.read_context()
    cache.batch_repeat_interleave(len(request.prompts))
    return call.generate([[*request.context, *prompt] for prompt in request.prompts], cache)


def all_in_one(call: "_Call") -> AnswerTokens:
    """One prompt with all questions; the answers follow each other in one text."""
    request = call.request
    questions = [token for prompt in request.prompts for token in prompt]
    [text] = call.generate([[*request.context, *questions]], factor=len(request.prompts))
    size = call.answer_tokens
    return tuple(text[start : start + size] for start in range(0, len(text), size))


class _Call:
    """One timed call: what it asked for, and the times it noted."""

    def __init__(self, model: PreTrainedModel, request: GroupRequest, answer_tokens: int) -> None:
        self.request, self.answer_tokens = request, answer_tokens
        self.first_token_s: float | None = None
        self.prefill_s, self.columns, self.kv_bytes = 0.0, 0, 0
        self._model, self._began = model, time.perf_counter()

    def read_context(self) -> DynamicCache:
        """Read the context into a cache of one row."""
        began = time.perf_counter()
        cache = DynamicCache(config=self._model.config)
        tokens = torch.tensor([self.request.context], device=self._model.device)
        self._model(tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
        self.prefill_s += time.perf_counter() - began
        return cache

    def generate(
        self, rows: Sequence[Sequence[int]], cache: DynamicCache | None = None, factor: int = 1
    ) -> AnswerTokens:
        """Continue ROWS, padded on the left where their lengths differ, by FACTOR answers each."""
        began = time.perf_counter()
        inputs, mask = _pad_left(rows, self._model.device)
        clock = _FirstToken()
        new_tokens = self.answer_tokens * factor
        result = self._model.generate(
            inputs,
            attention_mask=mask,
            past_key_values=cache,
            do_sample=False,
            max_new_tokens=new_tokens,
            min_new_tokens=new_tokens,
            eos_token_id=None,
            pad_token_id=0,
            return_dict_in_generate=True,
            stopping_criteria=StoppingCriteriaList([clock]),
        )
        self._note(began, clock.time, result.past_key_values, new_tokens)
        return tuple(tuple(row) for row in result.sequences[:, inputs.shape[1] :].tolist())

    def _note(self, began: float, first: float, cache: DynamicCache, new_tokens: int) -> None:
        self.prefill_s += first - began
        if self.first_token_s is None:
            self.first_token_s = first - self._began
        self.columns += new_tokens - 1
        stored = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
        self.kv_bytes = max(self.kv_bytes, stored)


class _FirstToken(StoppingCriteria):
    """Notes when the first token was chosen; stops nothing."""

    def __init__(self) -> None:
        self.time: float | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: object) -> Tensor:
        if self.time is None:
            self.time = time.perf_counter()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


def _pad_left(rows: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """``[N, T]`` tokens and their mask."""
    longest = max(map(len, rows))
    tokens = [[0] * (longest - len(row)) + list(row) for row in rows]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    return torch.tensor(tokens, device=device), torch.tensor(mask, device=device)
