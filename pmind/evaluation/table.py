"""The table that ``pmind evaluate`` prints."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

SPEED = {"questions_per_s": "Questions/s", "tokens_per_s": "Tokens/s", "speedup": "× sequential"}
SAME, SAME_TITLE = "same_answers", "Same answers, %"


def print_evaluation(content: Mapping[str, Any]) -> None:
    """Print an evaluation, a column a method: speed, scores with intervals, and differences to ``sequential``."""
    rows, conditions = content["rows"], content["conditions"]
    table = Table("", *(f"{row['method']} {row['branches']}" for row in rows), box=box.SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, title in SPEED.items():
        table.add_row(title, *(_number(row.get(name)) for row in rows))
    table.add_row(SAME_TITLE, *(_number(row.get(SAME), 100) for row in rows))
    for name in measures_of(rows):
        table.add_row(_title(name), *(_measure(row, name) for row in rows))
        if any(f"{name}_minus_sequential" in row for row in rows):
            table.add_row("  − sequential", *(_difference(row, name) for row in rows), style="dim")
    console = Console()
    console.print(table)
    first = rows[0]
    console.print(
        f"{conditions['dataset']}, {conditions['model']}: {first['questions']} questions in {first['groups']} groups "
        f"of {first['documents']} documents; {conditions['dtype']}, {conditions['device']}, "
        f"{conditions['threads']} threads; intervals {conditions['confidence']:.0%}, clustered by document",
        soft_wrap=True,
    )
    counts = content["groups"]
    left_out = {name: count for name, count in counts.items() if name.startswith(("dropped", "truncated")) and count}
    if left_out:
        console.print(", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in left_out.items()))


def measures_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the scores that rows have, in their order."""
    return list(dict.fromkeys(name.removesuffix("_n") for row in rows for name in row if name.endswith("_n")))


def _title(name: str) -> str:
    return f"{name.replace('_', ' ')}{'' if name.startswith('judge') else ', %'}"


def _measure(row: Mapping[str, Any], name: str) -> str:
    if name not in row:
        return "–"
    value, low, high = (f"{_factor(name) * row[name + end]:.1f}" for end in ("", "_low", "_high"))
    return f"{value} [{low}, {high}]"


def _difference(row: Mapping[str, Any], name: str) -> str:
    key = f"{name}_minus_sequential"
    return f"{_factor(name) * row[key]:+.1f} (p {row[key + '_p']:.2g})" if key in row else ""


def _factor(name: str) -> int:
    return 1 if name.startswith("judge") else 100


def _number(value: float | None, factor: float = 1) -> str:
    if value is None:
        return "–"
    return f"{factor * value:,.0f}" if factor * value >= 100 else f"{factor * value:.3g}"
