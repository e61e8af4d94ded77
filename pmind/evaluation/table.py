"""The table that ``pmind evaluate`` prints."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

SPEED = {"questions_per_s": "Questions/s", "tokens_per_s": "Tokens/s", "speedup": "Speed-up"}
TITLES = {"accuracy_generated": "acc. in text", "accuracy_strict": "acc. strict"}  # a terminal has 80 columns
SAME, SAME_TITLE = "same_answers", "Same, %"


def print_evaluation(content: Mapping[str, Any]) -> None:
    """Print an evaluation, a column a method: speed, scores with intervals, and how they differ from ``sequential``."""
    rows, conditions = content["rows"], content["conditions"]
    table = Table(
        "", *(f"{row['method']} {row['branches']}" for row in rows), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for name, title in SPEED.items():
        table.add_row(title, *(_number(row.get(name)) for row in rows))
    table.add_row(SAME_TITLE, *(_number(row.get(SAME), 100) for row in rows))
    for name in measures_of(rows):
        table.add_row(_title(name), *(_measure(row, name) for row in rows), style="bold")
        table.add_row("", *(_interval(row, name) for row in rows))
        if any(f"{name}_minus_sequential" in row for row in rows):
            table.add_row("  difference", *(_difference(row, name) for row in rows), style="dim")
            table.add_row("  p", *(_number(row.get(f"{name}_minus_sequential_p")) for row in rows), style="dim")
    console = Console()
    console.print(table)
    first = rows[0]
    console.print(
        f"{conditions['dataset']}, {conditions['model']}: {first['questions']} questions in {first['groups']} groups "
        f"of {first['documents']} documents; {conditions['dtype']}, {conditions['device']}, "
        f"{conditions['threads']} threads; intervals {conditions['confidence']:.0%}, clustered by document; "
        "differences to sequential, question by question",
        soft_wrap=True,
    )
    print_left_out(content["groups"], console)


def print_left_out(counts: Mapping[str, float], console: Console) -> None:
    """Print how many questions, groups and contexts were dropped or cut, by reason; nothing if none was."""
    left_out = {name: count for name, count in counts.items() if name.startswith(("dropped", "truncated")) and count}
    if left_out:
        console.print(", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in left_out.items()))


def measures_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the scores that rows have, in their order."""
    return list(dict.fromkeys(name.removesuffix("_n") for row in rows for name in row if name.endswith("_n")))


def _title(name: str) -> str:
    return TITLES.get(name, name.replace("_", " ")) + ("" if name.startswith("judge") else ", %")


def _measure(row: Mapping[str, Any], name: str) -> str:
    return f"{_factor(name) * row[name]:.1f}" if name in row else "–"


def _interval(row: Mapping[str, Any], name: str) -> str:
    low, high = (row.get(f"{name}_{end}") for end in ("low", "high"))
    return "" if low is None else f"{_factor(name) * low:.1f}–{_factor(name) * high:.1f}"


def _difference(row: Mapping[str, Any], name: str) -> str:
    key = f"{name}_minus_sequential"
    return f"{_factor(name) * row[key]:+.1f}" if key in row else ""


def _factor(name: str) -> int:
    return 1 if name.startswith("judge") else 100


def _number(value: float | None, factor: float = 1) -> str:
    if value is None:
        return "–"
    return f"{factor * value:,.0f}" if factor * value >= 100 else f"{factor * value:.3g}"
