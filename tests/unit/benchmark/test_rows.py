import pytest

from pmind.benchmark.rows import build_rows, equal_share, flat_metrics
from pmind.benchmark.timing import TimedRow, Timing


def timing(total_s: float, columns: int = 3) -> Timing:
    return Timing(
        total_s=total_s,
        ttft_s=total_s / 4,
        prefill_s=total_s / 8,
        decode_s=total_s / 2,
        columns=columns,
        tokens=8,
        kv_bytes=640,
    )


def timed(*totals: float, answers=((1, 2), (3, 4)), columns: int = 3) -> TimedRow:
    return TimedRow(tuple(timing(total, columns) for total in totals), answers)


def test_times_are_medians_and_rates_follow_from_the_total():
    [row] = build_rows({("parallel", 2): timed(4.0, 2.0, 100.0)}, {("parallel", 2): 7})
    assert (row.total_s, row.ttft_s, row.prefill_s, row.decode_s) == (4.0, 1.0, 0.5, 2.0)
    assert (row.tokens_per_s, row.questions_per_s) == (2.0, 0.5)
    assert row.column_ms == pytest.approx(2000 / 3)
    assert row.total_s_spread == 50.0
    assert (row.kv_bytes, row.peak_memory_bytes) == (640, 7)


def test_answers_are_compared_with_sequential_at_the_same_number_of_branches():
    rows = {
        ("sequential", 2): timed(1.0),
        ("parallel", 2): timed(1.0, answers=((1, 2), (3, 9))),
        ("parallel", 1): timed(1.0, answers=((5, 5),)),
    }
    built = {(row.method, row.branches): row for row in build_rows(rows, dict.fromkeys(rows))}
    assert built["sequential", 2].tokens_equal_sequential == 1.0
    assert built["parallel", 2].tokens_equal_sequential == 0.75
    assert built["parallel", 1].tokens_equal_sequential is None


def test_answers_of_other_lengths_cannot_be_compared():
    with pytest.raises(ValueError, match="longer"):
        equal_share(((1, 2),), ((1, 2, 3),))


def test_metrics_leave_out_what_was_not_measured():
    rows = build_rows({("batch", 4): timed(1.23456789, columns=0)}, {("batch", 4): None})
    metrics = flat_metrics(rows)
    assert metrics["benchmark.batch.branches_4.total_s"] == 1.23457
    assert metrics["benchmark.batch.branches_4.kv_bytes"] == 640
    names = {key.removeprefix("benchmark.batch.branches_4.") for key in metrics}
    assert names == {
        "tokens_per_s",
        "questions_per_s",
        "ttft_s",
        "prefill_s",
        "decode_s",
        "total_s",
        "total_s_spread",
        "kv_bytes",
    }
