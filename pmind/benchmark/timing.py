"""Times of methods on one workload, interleaved so that a machine's drift hits all of them alike.

A round runs every row (method and number of branches) once; the first round warms up and is
thrown away::

    warm-up   parallel 1   sequential 1   batch 1   parallel 2   ...
    repeat 1  parallel 1   sequential 1   batch 1   parallel 2   ...
    repeat 2  ...
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pmind.benchmark.workload import Workload
from pmind.decoding.decoder import ParallelDecoder
from pmind.decoding.engine import DecodeStats
from pmind.decoding.options import GenerationOptions
from pmind.methods import METHODS, answer_groups

RowKey = tuple[str, int]  # method, number of branches
AnswerTokens = tuple[tuple[int, ...], ...]  # [question][token]


@dataclass(frozen=True)
class Timing:
    """What one run cost; seconds are wall-clock, tokens on the host included.

    Attributes:
        total_s: from the request to the last question's answer.
        ttft_s: from the request to the first token of the first question.
        prefill_s: reading contexts and prompts, and choosing the first tokens.
        decode_s: all later columns.
        columns: how many those are, summed over the method's passes.
        tokens: answer tokens of all questions.
        kv_bytes: size of the key and value buffers.
    """

    total_s: float
    ttft_s: float
    prefill_s: float
    decode_s: float
    columns: int
    tokens: int
    kv_bytes: int


@dataclass(frozen=True)
class TimedRow:
    """Every timed run of one method and number of branches, and the tokens that it chose."""

    timings: tuple[Timing, ...]
    answers: AnswerTokens


def time_rows(
    decoder: ParallelDecoder,
    workload: Workload,
    keys: Sequence[RowKey],
    *,
    repeats: int,
    on_run: Callable[[], object] = lambda: None,
) -> dict[RowKey, TimedRow]:
    """Time every row REPEATS times after one warm-up.

    Args:
        decoder: the model.
        workload: lengths of context, prompts and answers.
        keys: method and number of branches of each row.
        repeats: timed rounds.
        on_run: called after every single run, warm-ups included.

    Raises:
        DecodingError: the workload does not fit the model's positions.
    """
    timings: dict[RowKey, list[Timing]] = {key: [] for key in keys}
    answers: dict[RowKey, AnswerTokens] = {}
    for round_number in range(1 + repeats):
        for key in keys:
            timing, answers[key] = time_run(decoder, workload, *key)
            if round_number > 0:
                timings[key].append(timing)
            on_run()
    return {key: TimedRow(tuple(timings[key]), answers[key]) for key in keys}


def time_run(decoder: ParallelDecoder, workload: Workload, method: str, branches: int) -> tuple[Timing, AnswerTokens]:
    """Answer the workload's group once; what it cost, and the tokens of every answer."""
    request = workload.request(branches, decoder.model.config.vocab_size)
    options = GenerationOptions(max_new_tokens=workload.answer_tokens, eos_token_id=())
    stats = DecodeStats()
    began = time.perf_counter()
    [answers] = answer_groups(decoder, METHODS[method], [request], options, branches=branches, stats=stats)
    total_s = time.perf_counter() - began  # the tokens are Python integers by now, so the device is done
    passes = stats.columns // workload.answer_tokens  # each chooses its first column's tokens in the prefill
    timing = Timing(
        total_s=total_s,
        ttft_s=stats.first_token_s,
        prefill_s=stats.prefill_s,
        decode_s=stats.decode_s,
        columns=stats.columns - passes,
        tokens=stats.tokens,
        kv_bytes=stats.kv_bytes,
    )
    return timing, tuple(answer.token_ids for answer in answers)
