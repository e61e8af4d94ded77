import pytest

from pmind.benchmark.load import Served, Stream, _arrivals, _summary, load_test
from pmind.benchmark.workload import Workload
from tests.tiny import decoder_of

STREAM = Stream(groups=5, branches=3, max_groups=2, shares=(0.5, 2.0))


def test_every_rate_has_its_numbers():
    rates = []
    metrics = load_test(decoder_of(), Workload(20, 3, 4), STREAM, on_run=lambda: rates.append(1))
    assert len(rates) == 3
    assert metrics["load.capacity_questions_per_s"] > 0
    for share in ("at_50", "at_200"):
        latencies = [metrics[f"load.{share}.latency_p{p}_s"] for p in (50, 95, 99)]
        assert 0 < latencies[0] <= latencies[1] <= latencies[2]
        assert metrics[f"load.{share}.queue_p99_s"] < latencies[2]
        assert metrics[f"load.{share}.goodput_questions_per_s"] <= metrics[f"load.{share}.questions_per_s"]


def test_waiting_counts_from_the_arrival_and_only_answers_in_time_are_good():
    served = [Served(arrived=0, started=0, finished=1), Served(arrived=1, started=3, finished=5)]
    summary = _summary(served, branches=10, deadline=2)
    assert (summary["queue_p50_s"], summary["latency_p50_s"]) == (1.0, 2.5)
    assert (summary["questions_per_s"], summary["goodput_questions_per_s"]) == (4.0, 2.0)
    assert summary["arrivals_per_s"] == 1.0


def test_groups_come_at_the_rate_asked_for():
    arrivals = _arrivals(4001, rate=50.0, seed=1)
    assert arrivals[0] == 0.0
    assert arrivals == sorted(arrivals)
    assert 4000 / arrivals[-1] == pytest.approx(50.0, rel=0.05)
