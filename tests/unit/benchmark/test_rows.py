import pytest

from pmind.benchmark.roofline import Machine
from pmind.benchmark.rows import build_rows, count_columns, equal_share, flat_metrics
from pmind.benchmark.runners.protocol import Run
from pmind.benchmark.timing import TimedRow
from pmind.benchmark.workload import Workload
from pmind.models.presets import timed_config

CONFIG = timed_config("tiny")
WORK = Workload(context_tokens=6, prompt_tokens=3, answer_tokens=4)
MACHINE = Machine(bandwidth=1e9, peak=1e12)


def timed(*totals, answers=((1, 2, 3, 4), (5, 6, 7, 8)), columns=3, prefill=True):
    runs = [Run(answers, total / 4, total / 2 if prefill else None, columns, kv_bytes=640) for total in totals]
    return TimedRow(list(totals), runs, answers, warm_up_s=9.0)


def build(rows, peaks=None):
    peaks = dict.fromkeys(rows) if peaks is None else peaks
    return {
        (row.method, row.branches): row
        for row in build_rows(rows, peaks, CONFIG, "float32", WORK, MACHINE, count_columns(rows, CONFIG, WORK))
    }


def test_times_are_medians_and_rates_follow_from_the_total():
    row = build({("parallel", 2): timed(4.0, 2.0, 100.0)}, {("parallel", 2): 7})["parallel", 2]
    assert (row.total_s, row.ttft_s, row.prefill_s, row.warm_up_s) == (4.0, 1.0, 2.0, 9.0)
    assert (row.tokens_per_s, row.questions_per_s) == (2.0, 0.5)
    assert row.column_ms == pytest.approx(2000 / 3)
    assert row.roofline_share == pytest.approx(row.roofline_ms / row.column_ms)
    assert row.total_s_spread == 50.0
    assert (row.kv_bytes, row.peak_memory_bytes) == (640, 7)


def test_one_question_at_a_time_is_held_to_the_floor_of_one_question():
    rows = build({("sequential", 8): timed(1.0), ("parallel", 8): timed(1.0), ("parallel", 1): timed(1.0)})
    assert rows["sequential", 8].column_flops == rows["parallel", 1].column_flops
    assert rows["parallel", 8].column_flops == 8 * rows["parallel", 1].column_flops
    assert rows["sequential", 8].kv_bytes_predicted < rows["parallel", 8].kv_bytes_predicted


def test_answers_are_compared_with_sequential_at_the_same_number_of_branches():
    rows = build(
        {
            ("sequential", 2): timed(1.0),
            ("parallel", 2): timed(1.0, answers=((1, 2, 3, 4), (5, 6, 9, 9))),
            ("no_attention", 2): timed(1.0),
            ("parallel", 1): timed(1.0, answers=((5, 5, 5, 5),)),
        }
    )
    assert rows["sequential", 2].tokens_equal_sequential == 1.0
    assert rows["parallel", 2].tokens_equal_sequential == 0.75
    assert rows["no_attention", 2].tokens_equal_sequential is None
    assert rows["parallel", 1].tokens_equal_sequential is None


def test_missing_tokens_are_tokens_that_differ():
    assert equal_share(((1, 2),), ((1, 2, 3, 4),)) == 0.5


def test_tokens_that_a_server_does_not_tell_are_not_compared():
    assert equal_share(((1, -1, 3, 9),), ((1, 2, 3, 4),)) == pytest.approx(2 / 3)


def test_a_row_that_was_never_timed_is_left_out():
    assert build({("parallel", 2): timed(1.0), ("batch", 2): TimedRow(error="out of memory")}).keys() == {
        ("parallel", 2)
    }


def test_metrics_leave_out_what_was_not_measured():
    rows = build({("batch", 4): timed(1.23456789, prefill=False)}, {("batch", 4): "the process was killed"})
    metrics = flat_metrics(rows.values())
    assert metrics["benchmark.batch.branches_4.total_s"] == 1.23457
    assert metrics["benchmark.batch.branches_4.kv_bytes"] == 640
    missing = {"prefill_s", "column_ms", "roofline_share", "peak_memory_bytes", "tokens_equal_sequential"}
    assert missing.isdisjoint(key.split(".")[-1] for key in metrics)
