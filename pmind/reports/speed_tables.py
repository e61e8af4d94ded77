"""Tables of what decoding costs: tokens per second by branches, and every timed number."""

from pmind.reports import formats
from pmind.reports.formats import Number
from pmind.reports.metrics import Metrics
from pmind.reports.tables import Table, run


def _milliseconds(value: Number) -> str:
    return formats.seconds(None if value is None else value / 1000)


def _times(value: Number) -> str:
    return formats.MISSING if value is None else f"{value:.2f} ×"


COLUMNS = {  # last word of the key -> title, and how to write the number
    "tokens_per_s": ("Tokens/s", formats.rate),
    "questions_per_s": ("Questions/s", formats.rate),
    "ttft_s": ("First token", formats.seconds),
    "prefill_s": ("Prefill", formats.seconds),
    "decode_s": ("Decode", formats.seconds),
    "column_ms": ("One column", _milliseconds),
    "total_s": ("Total", formats.seconds),
    "total_s_spread": ("Slowest ÷ fastest", _times),
    "peak_memory_bytes": ("Peak memory", formats.size),
    "kv_bytes": ("Keys and values", formats.size),
    "tokens_equal_sequential": ("Tokens as sequential, %", formats.share),
}


def throughput(metrics: Metrics) -> Table:
    """Tokens per second: branch counts × methods, and what parallel gains on sequential."""
    timings = metrics.timings()
    methods = list(dict.fromkeys(method for method, _ in timings))
    rows = []
    for branches in sorted({branches for _, branches in timings}):
        rates = [timings.get((method, branches), {}).get("tokens_per_s") for method in methods]
        gain = speedup(metrics, branches, "sequential")
        rows.append((str(branches), *map(formats.rate, rates), f"{formats.rate(gain)} ×" if gain else formats.MISSING))
    header = ("Branches", *methods, "parallel ÷ sequential")
    return Table("Tokens per second by number of branches", header, tuple(rows), run("benchmark"))


def speedup(metrics: Metrics, branches: int, rival: str) -> float | None:
    """Tokens per second of parallel over those of RIVAL at the same number of branches."""
    timings = metrics.timings()
    ours = timings.get(("parallel", branches), {}).get("tokens_per_s")
    theirs = timings.get((rival, branches), {}).get("tokens_per_s")
    return ours / theirs if ours and theirs else None


def timing(metrics: Metrics) -> Table:
    """Every timed number: methods and branch counts × the measures that any row has."""
    timings = metrics.timings()
    columns = {name: column for name, column in COLUMNS.items() if any(name in values for values in timings.values())}
    rows = tuple(
        (method, str(branches), *(write(values.get(name)) for name, (_, write) in columns.items()))
        for (method, branches), values in timings.items()
    )
    header = ("Method", "Branches", *(title for title, _ in columns.values()))
    return Table("Time and memory in full", header, rows, run("benchmark"))
