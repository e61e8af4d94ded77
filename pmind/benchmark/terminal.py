"""The benchmark's rows as tables on a terminal."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from pmind.benchmark.harness import Result

WIDTH = 130
COLUMNS = (  # title, field, factor, digits
    ("tokens/s", "tokens_per_s", 1, 0),
    ("total s", "total_s", 1, 3),
    ("first token s", "ttft_s", 1, 3),
    ("prefill s", "prefill_s", 1, 3),
    ("column ms", "column_ms", 1, 2),
    ("roofline %", "roofline_share", 100, 0),
    ("KV MB", "kv_bytes", 1e-6, 1),
    ("peak MB", "peak_memory_bytes", 1e-6, 0),
    ("same tokens %", "tokens_equal_sequential", 100, 0),
)


def print_rows(result: Result) -> None:
    """Print a line for every row, and what they were measured on."""
    table = Table("branches", "method", *(title for title, *_ in COLUMNS), box=None)
    for column in table.columns[2:]:
        column.justify = "right"
    for row in result.rows:
        numbers = (_write(getattr(row, name), factor, digits) for _, name, factor, digits in COLUMNS)
        table.add_row(str(row.branches), row.method, *numbers)
    console = _console()
    console.print(table)
    told = result.conditions
    console.print(
        f"{told['model']}, {told['dtype']}, context {told['context_tokens']}, prompts {told['prompt_tokens']}, answers "
        f"{told['answer_tokens']} tokens; {told['cpu']}, {told['threads']} threads, {told['device']}; reads "
        f"{told['bandwidth_gb_per_s']} GB/s, multiplies {told['peak_gflops']} GFLOP/s; medians of {told['repeats']}",
        highlight=False,
    )


def print_load(load: Mapping[str, float | int]) -> None:
    """Print the load test, a line for every rate of arrival."""
    shares = list(dict.fromkeys(key.split(".")[1] for key in load if key.startswith("load.at_")))
    measures = list(dict.fromkeys(key.split(".")[2] for key in load if key.startswith("load.at_")))
    table = Table("load", *(measure.replace("_", " ") for measure in measures), box=None)
    for share in shares:
        numbers = (_write(load[f"load.{share}.{measure}"], 1, 2) for measure in measures)
        table.add_row(f"{share.removeprefix('at_')} %", *numbers)
    _console().print(table)


def _console() -> Console:
    """Wide enough for all columns: numbers that are cut short mislead."""
    return Console(width=max(Console().width, WIDTH), soft_wrap=True)


def _write(value: float | int | None, factor: float, digits: int) -> str:
    return "–" if value is None else f"{value * factor:,.{digits}f}"
