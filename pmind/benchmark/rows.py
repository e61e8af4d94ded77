"""One row per method and number of branches, and the flat metrics that rows become."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median

from transformers import PretrainedConfig

from pmind.benchmark.flops import count_column
from pmind.benchmark.roofline import Machine, column_floor, kv_bytes_predicted
from pmind.benchmark.runners.catalog import BOUND, ONE_BY_ONE
from pmind.benchmark.runners.protocol import AnswerTokens
from pmind.benchmark.timing import RowKey, TimedRow
from pmind.benchmark.workload import Workload
from pmind.models.loading import DTYPES

REFERENCE = "sequential"
DIGITS = 6  # significant ones of a metric


@dataclass(frozen=True)
class BenchmarkRow:
    """What answering one group costs; times are medians of the repeats, ``None`` is not known.

    Attributes:
        method: way of answering.
        branches: questions of the group.
        tokens_per_s: answer tokens of all questions per second of ``total_s``.
        questions_per_s: questions per second of ``total_s``.
        ttft_s: until the first token of the first question.
        prefill_s: reading context and prompts, until every question's first token.
        column_ms: one of the decoding steps after that, everything between them included.
        total_s: until the last answer.
        total_s_spread: slowest repeat's ``total_s`` as a multiple of the fastest one's.
        warm_up_s: the first run, which compiles what is compiled; not among the repeats.
        kv_bytes: size of the key and value buffers.
        kv_bytes_predicted: k (C + sum of L) of a context stored once.
        peak_memory_bytes: beyond the loaded model.
        column_bytes: what a column must read at least: weights, context and branches once.
        column_flops: operations of a column, analytic.
        column_flops_counted: the same, as torch counts the matrix products.
        roofline_ms: the least time of such a column on this machine.
        roofline_share: ``roofline_ms`` as a share of ``column_ms``.
        tokens_equal_sequential: share of the answers' tokens that ``sequential`` chose, too.
    """

    method: str
    branches: int
    tokens_per_s: float
    questions_per_s: float
    ttft_s: float | None
    prefill_s: float | None
    column_ms: float | None
    total_s: float
    total_s_spread: float
    warm_up_s: float
    kv_bytes: int | None
    kv_bytes_predicted: int
    peak_memory_bytes: int | None
    column_bytes: int
    column_flops: int
    column_flops_counted: int
    roofline_ms: float
    roofline_share: float | None
    tokens_equal_sequential: float | None


def build_rows(
    timed: Mapping[RowKey, TimedRow],
    peaks: Mapping[RowKey, int | str | None],
    config: PretrainedConfig,
    dtype: str,
    work: Workload,
    machine: Machine,
    counted: Mapping[int, int],
) -> list[BenchmarkRow]:
    """Summarise the runs of every row that was timed, and compare its answers with the reference's.

    COUNTED holds the operations of a column by its number of questions, see :func:`count_columns`.
    """
    measured = {key: row for key, row in timed.items() if row.totals}
    rows = []
    for (method, branches), row in measured.items():
        questions = questions_a_column(method, branches)
        floor = column_floor(config, DTYPES[dtype], work, questions, machine)
        column_ms = _column_ms(row)
        peak = peaks.get((method, branches))
        reference = measured.get((REFERENCE, branches))
        total_s = median(row.totals)
        rows.append(
            BenchmarkRow(
                method=method,
                branches=branches,
                tokens_per_s=branches * work.answer_tokens / total_s,
                questions_per_s=branches / total_s,
                ttft_s=_median([run.first_token_s for run in row.runs]),
                prefill_s=_median([run.prefill_s for run in row.runs]),
                column_ms=column_ms,
                total_s=total_s,
                total_s_spread=max(row.totals) / min(row.totals),
                warm_up_s=row.warm_up_s,
                kv_bytes=row.runs[-1].kv_bytes,
                kv_bytes_predicted=kv_bytes_predicted(config, DTYPES[dtype], work, questions),
                peak_memory_bytes=peak if isinstance(peak, int) else None,
                column_bytes=floor.bytes,
                column_flops=floor.flops,
                column_flops_counted=counted[questions],
                roofline_ms=floor.milliseconds,
                roofline_share=floor.milliseconds / column_ms if column_ms else None,
                tokens_equal_sequential=(
                    equal_share(row.answers, reference.answers) if reference and method != BOUND else None
                ),
            )
        )
    return rows


def questions_a_column(method: str, branches: int) -> int:
    """How many questions METHOD gives a token in one column."""
    return 1 if method in ONE_BY_ONE else branches


def count_columns(keys: Iterable[RowKey], config: PretrainedConfig, work: Workload) -> dict[int, int]:
    """Operations of a column, as torch counts them, for every number of questions that KEYS have."""
    return {
        questions: count_column(config, work, questions) for questions in {questions_a_column(*key) for key in keys}
    }


def flat_metrics(rows: Iterable[BenchmarkRow]) -> dict[str, float | int]:
    """``benchmark.<method>.branches_<n>.<measure>``; what could not be measured is left out."""
    metrics = {}
    for row in rows:
        measures = dataclasses.asdict(row)
        prefix = f"benchmark.{measures.pop('method')}.branches_{measures.pop('branches')}"
        known = {name: value for name, value in measures.items() if value is not None}
        metrics |= {f"{prefix}.{name}": rounded(value) for name, value in known.items()}
    return metrics


def equal_share(answers: AnswerTokens, reference: AnswerTokens) -> float:
    """Share of the reference's tokens that stand at the same place in ANSWERS.

    Tokens below 0, whose ids a server does not tell, are not compared.

    Example:
        >>> equal_share(((1, 2), (3, 4)), ((1, 2), (3, 9)))
        0.75
    """
    pairs = [pair for ours, theirs in zip(answers, reference, strict=True) for pair in zip(ours, theirs, strict=False)]
    unknown = sum(token < 0 for token, _ in pairs)
    return sum(token == expected for token, expected in pairs) / max(1, sum(map(len, reference)) - unknown)


def rounded(value: float | int) -> float | int:
    """To the digits that a metric keeps."""
    return value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")


def _column_ms(row: TimedRow) -> float | None:
    """Median of what is left of a run after its prefill, per column."""
    spent = [
        1000 * (total - run.prefill_s) / run.columns
        for total, run in zip(row.totals, row.runs, strict=True)
        if run.prefill_s is not None and run.columns
    ]
    return _median(spent)


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
