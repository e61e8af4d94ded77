import json

import pytest

from pmind.reports.metrics import Metrics, read_metrics
from pmind.reports.plots import plot_rows, write_plots

NAMES = {"loss_by_branches", "throughput", "column_ms", "memory", "speedup"}


def test_a_row_a_number_of_branches_with_a_key_a_method(metrics_folder):
    rows = plot_rows(read_metrics(metrics_folder))
    assert set(rows) == NAMES
    methods = {"parallel", "sequential", "batch", "batch_cached", "no_attention"}
    assert rows["loss_by_branches"][0] == {"branches": 1, "loss": pytest.approx(1.401)}
    assert rows["throughput"][1] == {
        **{"branches": 2, "parallel": 600.0, "sequential": 300.0},
        **{"batch": 300.0, "batch_cached": 400.0, "no_attention": 800.0},
    }
    assert rows["column_ms"][2] == {"branches": 16} | dict.fromkeys(methods, 4.0)
    assert rows["memory"][0] == {"branches": 1} | dict.fromkeys(methods, 2.0)  # MiB
    assert rows["speedup"][2] == {"branches": 16, "sequential": 16.0, "batch": 2.0, "batch_cached": 1.5}


def test_a_method_missing_at_some_number_of_branches_leaves_its_key_out():
    rates = {"benchmark.parallel.branches_1.tokens_per_s": 3.0, "benchmark.batch.branches_2.tokens_per_s": 4.0}
    rows = plot_rows(Metrics({"benchmark": rates}))["throughput"]
    assert rows == [{"branches": 1, "parallel": 3.0}, {"branches": 2, "batch": 4.0}]


def test_every_file_is_written_even_if_there_is_nothing_to_draw(tmp_path):
    write_plots(tmp_path, Metrics({}))
    assert {path.stem: json.loads(path.read_text()) for path in tmp_path.iterdir()} == {name: [] for name in NAMES}
