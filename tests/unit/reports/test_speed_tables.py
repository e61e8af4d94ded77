from pmind.reports.metrics import Metrics, read_metrics
from pmind.reports.speed_tables import conditions, roofline, throughput, timing


def test_throughput_compares_ways_of_answering(metrics_folder):
    table = throughput(read_metrics(metrics_folder))
    methods = ("parallel", "sequential", "batch", "batch_cached")  # the bound answers nothing
    assert table.header == ("Branches", *methods, "parallel ÷ sequential", "parallel ÷ batch_cached")
    assert table.caption.endswith("branches (`minimind-26m`, float32, context 512, a <b> CPU, 2 threads)")
    assert table.rows[-1] == ("16", "4,800", "300", "2,400", "3,200", "16.0 ×", "1.50 ×")


def test_a_rival_that_was_not_timed_has_no_column():
    rates = {f"benchmark.{method}.branches_2.tokens_per_s": 4.0 for method in ("parallel", "batch")}
    assert throughput(Metrics({"benchmark": rates})).header == ("Branches", "parallel", "batch")


def test_columns_stand_against_the_roofline_and_the_bound(metrics_folder):
    table = roofline(read_metrics(metrics_folder))
    assert table.header == ("Branches", "One column", "Roofline", "Of roofline, %", "Without attention")
    assert table.rows == tuple((count, "4.00 ms", "3.00 ms", "75.0", "4.00 ms") for count in ("1", "2", "16"))


def test_timing_writes_units(metrics_folder):
    table = timing(read_metrics(metrics_folder))
    cells = dict(zip(table.header, table.rows[2], strict=True))
    assert (cells["Method"], cells["Branches"], cells["Tokens/s"]) == ("parallel", "16", "4,800")
    assert (cells["First token"], cells["One column"], cells["Keys and values"]) == ("20.0 ms", "4.00 ms", "16.0 MiB")
    assert "Tokens as sequential, %" not in cells  # no row has it


def test_the_tokens_of_the_bound_are_not_compared():
    rows = {f"benchmark.{method}.branches_2.total_s": 4.0 for method in ("parallel", "no_attention")}
    table = timing(Metrics({"benchmark": rows | {"benchmark.parallel.branches_2.tokens_equal_sequential": 1.0}}))
    assert [row[-1] for row in table.rows] == ["100.0", ""]
    assert table.gap == ""


def test_a_missing_time_says_what_fills_it(metrics_folder):
    files = dict(read_metrics(metrics_folder).files)
    files["benchmark"] = {key: files["benchmark"][key] for key in files["benchmark"] if not key.endswith("16.ttft_s")}
    table = timing(Metrics(files))
    assert table.rows[2][table.header.index("First token")] == "—"
    assert "dvc repro benchmark" in table.gap


def test_conditions_are_a_phrase():
    told = {"threads": 1, "cpu": "some CPU", "answer_tokens": 32, "context_tokens": 16384, "model": "tiny"}
    assert conditions(told) == "`tiny`, context 16,384, answers 32 tokens, some CPU, 1 thread"
    assert conditions(told | {"device": "some GPU"}) == "`tiny`, context 16,384, answers 32 tokens, some GPU"
    assert conditions({}) == ""
