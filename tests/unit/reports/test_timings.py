from pmind.reports.timings import flat_timings, in_order, lines, speedup, speedups


def test_rows_are_in_table_order():
    methods = ("tree", "no_attention", "batch", "parallel")
    keys = [f"benchmark.{name}.branches_{count}.total_s" for name in methods for count in (16, 2)]
    timings = flat_timings(dict.fromkeys(keys, 1.0))
    assert list(timings) == [(name, at) for name in ("parallel", "batch", "no_attention", "tree") for at in (2, 16)]


def test_known_names_come_first():
    assert in_order({"z", "b", "a"}, ("b", "c")) == ["b", "a", "z"]


def test_a_measure_is_a_line_a_method():
    timings = {("parallel", 1): {"ttft_s": 1.0}, ("parallel", 2): {"total_s": 5.0}, ("batch", 2): {"ttft_s": 3.0}}
    assert lines(timings, "ttft_s") == {"parallel": {1: 1.0}, "batch": {2: 3.0}}


def test_gains_are_ratios_of_rates():
    rates = {("parallel", 2): 6.0, ("parallel_columnar", 2): 5.0, ("batch", 2): 3.0, ("batch", 4): 3.0}
    timings = {row: {"tokens_per_s": rate} for row, rate in (rates | {("no_attention", 2): 8.0}).items()}
    assert speedup(timings, 2, "batch") == 2.0
    assert speedup(timings, 4, "batch") is None
    assert speedups(timings) == {"batch": {2: 2.0}}
