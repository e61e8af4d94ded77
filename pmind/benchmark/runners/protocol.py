"""What the benchmark times: a way to answer one group, loaded and ready."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pmind.decoding.branches import GroupRequest

AnswerTokens = tuple[tuple[int, ...], ...]  # [question][token]


@dataclass(frozen=True)
class Setup:
    """What a runner is started with.

    Attributes:
        folder: the model's files: config, safetensors and tokenizer.
        dtype: of weights and cache: ``float32``, ``bfloat16`` or ``float16``.
        device: as torch names it.
        threads: CPU threads.
        context_tokens: length of the context, for engines that allocate in advance.
        prompt_tokens: length of every prompt.
        answer_tokens: length of every answer.
        most_branches: most questions of a group.
        url: of the server, for runners that speak to one.
    """

    folder: Path
    dtype: str
    device: str
    threads: int
    context_tokens: int
    prompt_tokens: int
    answer_tokens: int
    most_branches: int
    url: str = ""


@dataclass(frozen=True)
class Run:
    """What answering one group gave; seconds count from the call, ``None`` where an engine does not tell.

    Attributes:
        answers: tokens of every question, all ``answer_tokens`` long.
        first_token_s: until the first token of the first question.
        prefill_s: reading context and prompts until every question's first token, summed over passes.
        columns: decoding steps after those first tokens, summed over passes.
        kv_bytes: size of the key and value buffers.
    """

    answers: AnswerTokens
    first_token_s: float | None
    prefill_s: float | None
    columns: int
    kv_bytes: int | None = None


class Runner(Protocol):
    """A way to answer one group, ready to be timed again and again."""

    version: str

    def reset(self) -> None:
        """Forget every context, untimed: the next run starts from a cold cache."""

    def run(self, request: GroupRequest, answer_tokens: int) -> Run:
        """Answer every question greedily with exactly ANSWER_TOKENS tokens."""

    def close(self) -> None:
        """Give back memory, threads and processes."""
