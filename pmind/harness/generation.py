"""What the harness asks of a generation, in the terms of the decoder."""

from collections.abc import Mapping, Sequence
from typing import Any

from transformers import GenerationConfig, PreTrainedTokenizerBase

from pmind.decoding.branches import StopTest
from pmind.decoding.options import GenerationOptions
from pmind.errors import DecodingError

NEUTRAL = {"num_beams": 1, "num_return_sequences": 1, "use_cache": True}  # what a task may say without effect
SAMPLING = ("top_k", "top_p")
KNOWN = ("do_sample", "temperature", "repetition_penalty", *SAMPLING)
HF_TOP_K = 50  # of transformers' generate where neither task nor checkpoint names one
LOOK_BACK = 2  # tokens beyond a stop string's own that the harness decodes to find it


def generation_options(
    asked: Mapping[str, Any], checkpoint: GenerationConfig, max_new_tokens: int, seed: int
) -> GenerationOptions:
    """Options of one generation, as transformers' ``generate`` would understand them in the ``hf`` model.

    Args:
        asked: the task's ``generation_kwargs``, as the harness has normalised them.
        checkpoint: the model's own; decides what the task leaves open.
        max_new_tokens: of an answer.
        seed: of the random streams.

    Raises:
        DecodingError: the task asks for something that the decoder cannot do; names it.
    """
    for name, value in asked.items():
        if name not in KNOWN and NEUTRAL.get(name) != value:
            raise DecodingError(
                f"generation_kwargs: {name}={value!r} is not supported, only {', '.join(KNOWN)}; "
                "use the harness's model 'hf' for this task"
            )
    chosen = {"repetition_penalty": _chosen("repetition_penalty", asked, checkpoint, 1.0)}
    if asked.get("do_sample"):
        chosen |= {"do_sample": True, "temperature": float(asked.get("temperature", 0.0))}
        chosen |= {"top_k": _chosen("top_k", asked, checkpoint, HF_TOP_K)}
        chosen |= {"top_p": _chosen("top_p", asked, checkpoint, 1.0)}
    return GenerationOptions(max_new_tokens=max_new_tokens, seed=seed, **chosen)


def stop_test(tokenizer: PreTrainedTokenizerBase, stop: Sequence[str], checkpoint: GenerationConfig) -> StopTest:
    """When an answer ends: at the checkpoint's stop tokens, or when its last tokens hold a string of STOP.

    As the harness's ``MultiTokenEOSCriteria`` does, the last tokens are decoded with special tokens
    in them, a few more than the string has: a stop string may be cut into tokens in another way.
    """
    ends = checkpoint.eos_token_id
    ends = set(ends) if isinstance(ends, list) else {ends}
    windows = [(text, len(tokenizer.encode(text, add_special_tokens=False)) + LOOK_BACK) for text in stop]

    def stops(answer: Sequence[int]) -> bool:
        return answer[-1] in ends or any(text in tokenizer.decode(answer[-length:]) for text, length in windows)

    return stops


def _chosen(name: str, asked: Mapping[str, Any], checkpoint: GenerationConfig, otherwise: float) -> Any:
    for value in (asked.get(name), getattr(checkpoint, name, None)):
        if value is not None:
            return value
    return otherwise
