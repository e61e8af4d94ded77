"""Many methods on many datasets: who answers how, and one table of what came of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from pmind.evaluation.preparing import Prepared
from pmind.evaluation.processes import Processes
from pmind.evaluation.records import summarise_cells
from pmind.evaluation.scores import COMPARED
from pmind.evaluation.suite import AskAll, Cell, Plan, answer_cell
from pmind.evaluation.table import print_left_out
from pmind.methods.catalog import together

PRINTED = 2  # so many of the scores that a dataset has
TITLES = {"accuracy": "Accuracy", "accuracy_generated": "In text", "em": "EM", "f1": "F1"}
UNANSWERED = {"no_room": "questions that the model had no room for", "missing": "answers left out of a reply"}
COSTS = ("s/group", "Read", "Written", "Rounds")


@dataclass(frozen=True)
class Contestant:
    """A method with whoever answers for it.

    Attributes:
        method: its name.
        ask: puts groups to the model or the server.
        plan: what decides the answers, beside method and number of branches.
    """

    method: str
    ask: AskAll
    plan: Plan


def run_contest(
    prepared: Prepared,
    contestants: Iterable[Contestant],
    folder: Path,
    processes: Processes,
    *,
    branches: int,
    confidence: float,
) -> list[dict[str, Any]]:
    """Ask one dataset's questions in every way, or read what an earlier run answered.

    Args:
        prepared: the questions.
        contestants: who answers them.
        folder: of the rows, one below it for every model.
        processes: who shares the work.
        branches: most questions decoded together, for methods that can.
        confidence: level of the intervals.

    Returns:
        A record a method on rank 0, see :func:`pmind.evaluation.records.summarise_cells`; none on the others.
    """
    answers = {}
    for contestant in contestants:
        cell: Cell = (contestant.method, branches if together(contestant.method) else 1)
        own = folder / contestant.plan.dataset / contestant.plan.model
        answers[cell] = answer_cell(
            contestant.ask, cell, prepared.groups, prepared.asking, contestant.plan, own, processes
        )
    return list(summarise_cells(answers, confidence)) if processes.first else []


def print_contest(content: Mapping[str, Any]) -> None:
    """Print one table a dataset, a row a method: quality and difference to ``sequential``, seconds, tokens, rounds.

    Args:
        content: ``rows`` of every dataset, ``groups`` with its counts, and ``conditions``.
    """
    console = Console()
    for dataset, counts in content["groups"].items():
        _print_dataset(dataset, [row for row in content["rows"] if row["dataset"] == dataset], console)
        print_left_out(counts, console)
    if cached := content["conditions"].get("cached_replies"):
        console.print(f"{cached} replies came from the cache and took no time: seconds tell of the first to ask only")
    told = ", ".join(f"{name} {value}" for name, value in content["conditions"].items() if value not in ("", None))
    console.print(f"below a score its difference to sequential, question by question; {told}", soft_wrap=True)


def _print_dataset(dataset: str, rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    first, measures = rows[0], [name for name in COMPARED if any(name in row for row in rows)][:PRINTED]
    console.print(
        f"{dataset}: {first['questions']} questions in {first['groups']} groups of {first['documents']} documents"
    )
    scores = (f"{TITLES.get(name, name)}, %" for name in measures)
    table = Table("", *scores, *COSTS, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in table.columns:
        column.no_wrap, column.justify = True, "right" if column.header else "left"
    for row in rows:
        table.add_row(row["method"], *(_score(row, name) for name in measures), *_costs(row))
    console.print(table)
    _print_categories(rows, measures[:1], console)
    for reason, title in UNANSWERED.items():
        told = ", ".join(f"{row['method']} {row[reason]}" for row in rows if row[reason])
        if told:
            console.print(f"{title}: {told}")


def _print_categories(rows: Sequence[Mapping[str, Any]], measures: Sequence[str], console: Console) -> None:
    """The first score of every category of questions, where there are several."""
    names = [name for name in rows[0].get("categories", {}) if measures]
    if not names:
        return
    table = Table(TITLES[measures[0]] + ", %", *names, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        table.add_row(row["method"], *(_score(row["categories"][name], measures[0]) for name in names))
    console.print(table)


def _score(row: Mapping[str, Any], name: str) -> str:
    """In percent, with its interval; below it the difference to sequential, question by question, and its own."""
    if name not in row:
        return "–"
    shown = f"{100 * row[name]:.1f}\n{100 * row[f'{name}_low']:.1f}–{100 * row[f'{name}_high']:.1f}"
    key = f"{name}_minus_sequential"
    if key not in row:
        return shown
    low, high = (100 * row[f"{key}_{end}"] for end in ("low", "high"))
    return f"{shown}\n{100 * row[key]:+.1f}\n{low:+.1f}…{high:+.1f}"


def _costs(row: Mapping[str, Any]) -> list[str]:
    groups = row["groups"]
    return [
        f"{row['seconds'] / groups:.3g}",
        f"{row['prompt_tokens'] / groups:.0f}",
        f"{row['tokens'] / groups:.0f}",
        str(row["rounds"]),
    ]
