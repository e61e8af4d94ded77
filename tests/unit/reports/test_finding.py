from pmind.reports.finding import finding
from pmind.reports.formats import PERCENT
from pmind.reports.metrics import Metrics, read_metrics


def test_the_finding_is_made_from_numbers(metrics_folder):
    answers, speed, reading = finding(read_metrics(metrics_folder))
    assert f"97.4{PERCENT} (96.4–98.4) of 612 reading questions" in answers
    assert "of 500 medical questions" in answers
    assert speed == (
        "Asked 16 questions at once about a context of 512 tokens with `minimind-26m` on a <b> CPU, `parallel` writes "
        "4,800 tokens per second: 16.0 times the rate of `sequential`, 2.00 times the rate of `batch` and 1.50 times "
        "the rate of `batch_cached`, which reads the context once, too."
    )
    assert f"gets 3.4{PERCENT} and 3.4{PERCENT}" in reading
    assert "moves by +0.015 nats" in reading


def test_speed_is_told_with_the_rivals_that_were_timed():
    rates = {f"benchmark.{method}.branches_4.tokens_per_s": rate for method, rate in (("parallel", 6), ("batch", 3))}
    measured = Metrics({"benchmark": rates | {"benchmark.parallel.branches_8.tokens_per_s": 9}})
    expected = "Asked 4 questions at once, `parallel` writes 6.00 tokens per second: 2.00 times the rate of `batch`."
    assert finding(measured)[1] == expected


def test_a_gpu_is_named_instead_of_the_processor(metrics_folder):
    files = dict(read_metrics(metrics_folder).files)
    files["benchmark_conditions"] = {"cpu": "some CPU", "device": "some GPU"}
    assert "at once on some GPU, `parallel`" in finding(Metrics(files))[1]


def test_where_no_passage_has_another_reading_is_told_from_the_loss(metrics_folder):
    files = dict(read_metrics(metrics_folder).files)
    files["quality"] = {key: value for key, value in files["quality"].items() if "swapped" not in key}
    assert finding(Metrics(files))[2].startswith("From 1 to 16 branches")


def test_the_finding_admits_what_is_missing():
    answers, speed, reading = finding(Metrics({}))
    assert "dvc repro evaluate" in answers
    assert "dvc repro benchmark" in speed
    assert "dvc repro evaluate" in reading
