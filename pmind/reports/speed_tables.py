"""Tables of what decoding costs: tokens per second by branches, columns and the roofline, every measure."""

from collections.abc import Mapping

from pmind.reports import formats
from pmind.reports.formats import Number
from pmind.reports.metrics import Metrics
from pmind.reports.tables import Table, run
from pmind.reports.timings import BOUND, OURS, lines, speedup


def milliseconds(value: Number) -> str:
    """A time in ms, as :func:`pmind.reports.formats.seconds` writes it."""
    return formats.seconds(None if value is None else value / 1000)


def times(value: Number) -> str:
    """A ratio."""
    return formats.MISSING if value is None else f"{formats.rate(value)} ×"


def _billions(value: Number) -> str:
    return formats.rate(None if value is None else value / 1e9)


COLUMNS = {  # last word of the key -> title, and how to write the number
    "tokens_per_s": ("Tokens/s", formats.rate),
    "questions_per_s": ("Questions/s", formats.rate),
    "ttft_s": ("First token", formats.seconds),
    "prefill_s": ("Prefill", formats.seconds),
    "column_ms": ("One column", milliseconds),
    "total_s": ("Total", formats.seconds),
    "total_s_spread": ("Slowest ÷ fastest", times),
    "warm_up_s": ("First run", formats.seconds),
    "peak_memory_bytes": ("Peak memory", formats.size),
    "kv_bytes": ("Keys and values", formats.size),
    "kv_bytes_predicted": ("Context stored once", formats.size),
    "column_bytes": ("Column must read", formats.size),
    "column_flops": ("Column, GFLOP", _billions),
    "column_flops_counted": ("As torch counts", _billions),
    "roofline_ms": ("Least column", milliseconds),
    "roofline_share": ("Of roofline, %", formats.share),
    "tokens_equal_sequential": ("Tokens as sequential, %", formats.share),
}
RATIOS = ("sequential", "batch_cached")  # of which the table tells what parallel gains on them
CONDITIONS = {  # key -> words; in the order of a sentence
    "model": "`{}`",
    "dtype": "{}",
    "context_tokens": "context {}",
    "prompt_tokens": "prompts {}",
    "answer_tokens": "answers {} tokens",
}


def throughput(metrics: Metrics) -> Table:
    """Tokens per second: branch counts × ways of answering, and what parallel gains on two of them."""
    timings = metrics.timings()
    rates = {method: line for method, line in lines(timings, "tokens_per_s").items() if method != BOUND}
    rivals = [rival for rival in RATIOS if rival in rates]
    rows = tuple(
        (
            str(branches),
            *(formats.rate(line.get(branches)) for line in rates.values()),
            *(times(speedup(timings, branches, rival)) for rival in rivals),
        )
        for branches in sorted({branches for line in rates.values() for branches in line})
    )
    header = ("Branches", *rates, *(f"{OURS} ÷ {rival}" for rival in rivals))
    measured_with = conditions(metrics.files.get("benchmark_conditions", {}))
    caption = f"Tokens per second by number of branches{f' ({measured_with})' if measured_with else ''}"
    return Table(caption, header, rows, run("benchmark"))


def roofline(metrics: Metrics) -> Table:
    """Time per column of parallel, the least the machine allows, and the same step without attention."""
    timings = metrics.timings()
    columns = lines(timings, "column_ms")
    rows = tuple(
        (
            str(branches),
            milliseconds(column),
            milliseconds(timings[OURS, branches].get("roofline_ms")),
            formats.share(timings[OURS, branches].get("roofline_share")),
            milliseconds(columns.get(BOUND, {}).get(branches)),
        )
        for branches, column in columns.get(OURS, {}).items()
    )
    header = ("Branches", "One column", "Roofline", "Of roofline, %", "Without attention")
    return Table("Time per column of `parallel` against the roofline", header, rows, run("benchmark"))


def timing(metrics: Metrics) -> Table:
    """Every timed number: methods and branch counts × the measures that any row has."""
    timings = metrics.timings()
    columns = {name: column for name, column in COLUMNS.items() if any(name in values for values in timings.values())}
    rows = tuple(
        (method, str(branches), *(_cell(method, name, values) for name in columns))
        for (method, branches), values in timings.items()
    )
    header = ("Method", "Branches", *(title for title, _ in columns.values()))
    remedy = f"{run('benchmark')}, unless the method cannot tell it"
    return Table("Time and memory in full", header, rows, remedy)


def conditions(values: Mapping[str, formats.Value]) -> str:
    """What a benchmark was measured with and on: model, dtype, lengths, machine."""
    known = (words.format(formats.setting(values[key])) for key, words in CONDITIONS.items() if key in values)
    return ", ".join((*known, *_machine(values)))


def _cell(method: str, name: str, values: Mapping[str, float]) -> str:
    applies = method != BOUND or name != "tokens_equal_sequential"  # the bound's tokens mean nothing
    return COLUMNS[name][1](values.get(name)) if applies else ""


def _machine(values: Mapping[str, formats.Value]) -> list[str]:
    if values.get("device", "cpu") != "cpu":
        return [str(values["device"])]  # by name; the processor hardly matters
    threads = values.get("threads")
    named = [str(values["cpu"])] if "cpu" in values else []
    return named if threads is None else [*named, f"{threads} thread" if threads == 1 else f"{threads} threads"]
