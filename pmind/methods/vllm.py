"""vLLM in this process as an engine: all prompts of a round in one call, prefixes read once.

Texts become the same token ids as for our own decoder, so that a model in float32 gives the same answers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from transformers import AutoConfig, GenerationConfig

from pmind.crossbatch.files import has_crossbatch
from pmind.decoding.texts import Texts
from pmind.errors import DecodingError, ModelError
from pmind.methods.fitting import fit, option_tokens
from pmind.methods.rounds import Ask, Prompt, Reply
from pmind.methods.vllm_start import CPU_BLOCK, Room, load_vllm, start_vllm
from pmind.models.adapters import is_adapter
from pmind.models.loading import load_tokenizer
from pmind.models.settings import load_settings

USUAL_LENGTH = 4096  # tokens of each sequence that a CPU's cache has room for, one as long as the model's at least

NO_ROOM = Reply("", "no room", 0, 0)


class VllmEngine:
    """Answers asks by one model, greedily; implements ``pmind.methods.rounds.Engine``.

    Args:
        vllm: the package, from :func:`pmind.methods.vllm_start.load_vllm`.
        llm: a ``vllm.LLM`` with prefix caching.
        texts: of its model, one position short: vLLM keeps a place for the last token of an answer, too.
    """

    def __init__(self, vllm: ModuleType, llm: Any, texts: Texts) -> None:
        self.texts, self.version = texts, vllm.__version__
        self._vllm, self._llm = vllm, llm

    def answer(self, asks: Sequence[Ask]) -> list[list[Reply]]:
        """Replies to every prompt of every one of ASKS, in their order, and likelihoods of their options.

        What is not read anew, because a prompt before it began alike, is not among ``prompt_tokens``. Where the
        model has too few positions, the oldest history is left out first, then answers are shorter; a prompt that
        does not fit at all has the finish reason ``no room``.

        Raises:
            DecodingError: an empty prompt.
            ModelError: there are options to score, but the tokenizer has no stop token.
        """
        fitted = [fit(ask, self.texts) for ask in asks]
        asked = [(ask, prompt) for ask in fitted if ask.max_new_tokens > 0 for prompt in ask.prompts]
        ids = [self._ids(ask, prompt) for ask, prompt in asked]
        outputs = self._generate(ids, [self._greedy(ask) for ask, _ in asked])
        replies = map(self._reply, asked, outputs, self._score(asked, ids))
        return [[next(replies) if ask.max_new_tokens > 0 else NO_ROOM for _ in ask.prompts] for ask in fitted]

    def forget(self) -> None:
        """Drop the prefixes read, so that what follows starts from a cold cache.

        Raises:
            DecodingError: vLLM still works on a request.
        """
        if not self._llm.reset_prefix_cache():
            raise DecodingError("vllm did not drop its prefix cache, a request is unfinished; start it anew")

    def _ids(self, ask: Ask, prompt: Prompt) -> tuple[int, ...]:
        if not prompt.text.strip():
            raise DecodingError("a question is empty; every prompt needs at least one token")
        return self.texts.context_ids(ask.context) + self.texts.encode(prompt.flat)

    def _greedy(self, ask: Ask) -> Any:
        return self._vllm.SamplingParams(
            temperature=0,
            max_tokens=ask.max_new_tokens,
            stop=list(ask.stop),
            ignore_eos=True,  # what vLLM takes for one; ours are named
            stop_token_ids=sorted(self.texts.stop_ids()),
        )

    def _reply(self, asked: tuple[Ask, Prompt], output: Any, scores: tuple[float, ...]) -> Reply:
        (completion,) = output.outputs
        ids = tuple(completion.token_ids)
        return Reply(
            text=self.texts.answer(ids, asked[0].stop),
            finish_reason=completion.finish_reason,
            prompt_tokens=len(output.prompt_token_ids) - (output.num_cached_tokens or 0),
            new_tokens=len(ids),
            token_ids=ids[:-1] if ids and ids[-1] in self.texts.stop_ids() else ids,
            option_scores=scores,
        )

    def _score(
        self, asked: Sequence[tuple[Ask, Prompt]], ids: Sequence[tuple[int, ...]]
    ) -> Iterator[tuple[float, ...]]:
        """Log-likelihoods of each prompt's options: vLLM tells those of a prompt's tokens, reading all of it anew."""
        options = [option_tokens(self.texts, prompt) for _, prompt in asked]
        whole = [head + option for head, own in zip(ids, options, strict=True) for option in own]
        told = self._vllm.SamplingParams(temperature=0, max_tokens=1, prompt_logprobs=0, detokenize=False)
        outputs = iter(self._generate(whole, [told] * len(whole)))
        for own in options:
            yield tuple(_log_likelihood(next(outputs), len(option)) for option in own)

    def _generate(self, ids: Sequence[tuple[int, ...]], options: Sequence[Any]) -> list[Any]:
        prompts = [{"prompt_token_ids": list(own)} for own in ids]
        return self._llm.generate(prompts, list(options), use_tqdm=False) if prompts else []


def open_engine(folder: Path, *, dtype: str, device: str, threads: int, most: int) -> VllmEngine:
    """Start vLLM on a model.

    Args:
        folder: of a stock model, or of one that was trained as such.
        dtype: of weights and cache: ``float32``, ``bfloat16`` or ``float16``.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads.
        most: prompts under way at a time.

    Raises:
        ModelError: the package is missing, the dtype or device cannot be run, or the model needs our own decoder.
    """
    check_plain(folder)
    vllm = load_vllm(dtype, device)
    texts = read_texts(folder)
    length = texts.positions or USUAL_LENGTH
    cache_tokens = max(length, most * min(length, USUAL_LENGTH)) + 2 * CPU_BLOCK * most  # blocks that stay half empty
    room = Room(length, most, cache_tokens)
    llm = start_vllm(vllm, folder, dtype=dtype, device=device, threads=threads, room=room)
    return VllmEngine(vllm, llm, replace(texts, positions=length - 1))


def check_plain(folder: Path) -> None:
    """Refuse a model that vLLM would run as another than it was trained to be.

    Raises:
        ModelError: an adapter, a cross-batch module, or settings that only our decoder knows; names them.
    """
    if is_adapter(folder):
        raise ModelError(f"{folder}: vllm runs whole models; make one of this adapter with pmind merge")
    trained = load_settings(folder)
    reasons = {
        "a cross-batch module": has_crossbatch(folder),
        f"rope_2d_ratio {trained.rope_2d_ratio}": trained.rope_2d_ratio > 0,
        "pair_indices": bool(trained.pair_indices),
        f"visibility {trained.visibility}": trained.visibility != "isolated",
        f"alignment {trained.alignment}": trained.alignment != "own",
    }
    found = [reason for reason, holds in reasons.items() if holds]
    if found:
        raise ModelError(
            f"{folder}: trained with {', '.join(found)}, but vllm runs plain rotary models, each question by itself. "
            "Leave --engine out to use our own decoder"
        )


def read_texts(folder: Path) -> Texts:
    """What a folder tells of its model's texts, no weights read."""
    config = AutoConfig.from_pretrained(folder)
    named = (folder / "generation_config.json").is_file()
    generation = GenerationConfig.from_pretrained(folder) if named else GenerationConfig.from_model_config(config)
    positions = getattr(config, "max_position_embeddings", None)
    return Texts(load_tokenizer(folder), load_settings(folder), positions, generation.eos_token_id)


def _log_likelihood(output: Any, tokens: int) -> float:
    """Of the last TOKENS of a prompt, in nats."""
    ends = zip(output.prompt_token_ids[-tokens:], output.prompt_logprobs[-tokens:], strict=True)
    return sum(found[token].logprob for token, found in ends)
