"""One row per method and number of branches, and the flat metrics that rows become."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from pmind.benchmark.timing import AnswerTokens, RowKey, TimedRow

REFERENCE = "sequential"
DIGITS = 6  # significant ones of a metric


@dataclass(frozen=True)
class BenchmarkRow:
    """What answering one group costs; times are medians of the repeats.

    Attributes:
        method: way of answering.
        branches: questions of the group.
        tokens_per_s: answer tokens of all questions per second of ``total_s``.
        questions_per_s: questions per second of ``total_s``.
        ttft_s: until the first token of the first question.
        prefill_s: reading contexts and prompts.
        decode_s: all columns but those that the prefill chose.
        column_ms: one of those columns; ``None`` if answers have one token.
        total_s: until the last answer.
        total_s_spread: slowest repeat's ``total_s`` as a multiple of the fastest one's.
        kv_bytes: size of the key and value buffers.
        peak_memory_bytes: beyond the loaded model; ``None`` where the system does not tell.
        tokens_equal_sequential: share of the answers' tokens that ``sequential`` chose, too;
            ``None`` if it did not run. Below 1 it is a fault only of a lossless checkpoint.
    """

    method: str
    branches: int
    tokens_per_s: float
    questions_per_s: float
    ttft_s: float
    prefill_s: float
    decode_s: float
    column_ms: float | None
    total_s: float
    total_s_spread: float
    kv_bytes: int
    peak_memory_bytes: int | None
    tokens_equal_sequential: float | None


def build_rows(timed: Mapping[RowKey, TimedRow], peaks: Mapping[RowKey, int | None]) -> list[BenchmarkRow]:
    """Summarise the runs of every row and compare its answers with the reference's."""
    return [_row(key, runs, timed.get((REFERENCE, key[1])), peaks[key]) for key, runs in timed.items()]


def flat_metrics(rows: Iterable[BenchmarkRow]) -> dict[str, float | int]:
    """``benchmark.<method>.branches_<n>.<measure>``; what could not be measured is left out."""
    metrics = {}
    for row in rows:
        measures = dataclasses.asdict(row)
        prefix = f"benchmark.{measures.pop('method')}.branches_{measures.pop('branches')}"
        known = {name: value for name, value in measures.items() if value is not None}
        metrics |= {f"{prefix}.{name}": _rounded(value) for name, value in known.items()}
    return metrics


def equal_share(answers: AnswerTokens, reference: AnswerTokens) -> float:
    """Share of tokens equal to the reference's at the same place.

    Example:
        >>> equal_share(((1, 2), (3, 4)), ((1, 2), (3, 9)))
        0.75
    """
    pairs = [pair for ours, theirs in zip(answers, reference, strict=True) for pair in zip(ours, theirs, strict=True)]
    return sum(token == expected for token, expected in pairs) / len(pairs)


def _row(key: RowKey, runs: TimedRow, reference: TimedRow | None, peak: int | None) -> BenchmarkRow:
    method, branches = key
    seconds = {name: _medians(runs, name) for name in ("total_s", "ttft_s", "prefill_s", "decode_s")}
    first, totals = runs.timings[0], [timing.total_s for timing in runs.timings]
    return BenchmarkRow(
        method=method,
        branches=branches,
        tokens_per_s=first.tokens / seconds["total_s"],
        questions_per_s=branches / seconds["total_s"],
        column_ms=1000 * seconds["decode_s"] / first.columns if first.columns else None,
        total_s_spread=max(totals) / min(totals),
        kv_bytes=first.kv_bytes,
        peak_memory_bytes=peak,
        tokens_equal_sequential=equal_share(runs.answers, reference.answers) if reference else None,
        **seconds,
    )


def _medians(runs: TimedRow, measure: str) -> float:
    return median(getattr(timing, measure) for timing in runs.timings)


def _rounded(value: float | int) -> float | int:
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")
