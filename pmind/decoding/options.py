"""How to continue a prompt: the generation options, named as transformers names them."""

from dataclasses import dataclass

from pmind.errors import DecodingError


@dataclass(frozen=True)
class GenerationOptions:
    """When to stop and how to choose a token.

    Attributes:
        max_new_tokens: most tokens an answer may have, the stop token included.
        do_sample: draw from the distribution; otherwise take the most likely token.
        temperature: divides the logits before sampling.
        top_k: keep the k most likely tokens; 0 keeps all.
        top_p: keep the smallest set of tokens with at least this probability.
        repetition_penalty: over 1 makes tokens of the context and the own branch less likely.
        stop_strings: an answer ends before the first of these.
        seed: of all random streams; a branch's own stream comes from (seed, question).
        eos_token_id: tokens that end an answer; ``None`` takes the model's own, ``()`` has none.
    """

    max_new_tokens: int = 64
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    stop_strings: tuple[str, ...] = ()
    seed: int = 0
    eos_token_id: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        _check(self.max_new_tokens >= 1, "max_new_tokens", "at least 1", self.max_new_tokens)
        _check(self.temperature > 0, "temperature", "above 0 (use do_sample=False for greedy)", self.temperature)
        _check(self.top_k >= 0, "top_k", "at least 0 (0 keeps all)", self.top_k)
        _check(0 < self.top_p <= 1, "top_p", "above 0 and at most 1", self.top_p)
        _check(self.repetition_penalty > 0, "repetition_penalty", "above 0", self.repetition_penalty)
        _check(all(self.stop_strings), "stop_strings", "texts that are not empty", self.stop_strings)


def _check(holds: bool, name: str, wanted: str, value: object) -> None:
    if not holds:
        raise DecodingError(f"{name} must be {wanted}, not {value}")
