from pmind.reports.formats import PERCENT
from pmind.reports.load_tables import load, load_conditions, load_rates
from pmind.reports.metrics import Metrics, read_metrics


def test_a_line_a_rate_of_arrival(metrics_folder):
    table = load(read_metrics(metrics_folder))
    assert [row[0] for row in table.rows] == [f"50{PERCENT}", f"100{PERCENT}"]
    cells = dict(zip(table.header, table.rows[0], strict=True))
    assert cells["Arriving, questions/s"] == "16.0"  # 2 groups of 8
    assert cells["In time/s"] == "12.0"
    assert (cells["Queue p50"], cells["Latency p99"]) == ("500 ms", "990 ms")


def test_the_text_says_what_was_served(metrics_folder):
    text = load_conditions(read_metrics(metrics_folder))
    assert text.startswith("24 groups of 8 questions, at most 4 of them decoded at a time.")
    assert "20.0 questions per second, the capacity" in text
    assert text.endswith("within 1.50 s, 3 times what one group takes alone.")


def test_measures_may_be_missing():
    metrics = Metrics({"load": {"load.at_80.queue_p50_s": 0.5}})
    assert load_rates(metrics) == {80: {"queue_p50_s": 0.5}}
    assert "dvc repro benchmark" in load(metrics).gap
    assert "—" in load_conditions(metrics)
