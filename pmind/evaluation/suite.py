"""One dataset, one model, every method and number of branches: the answers.

Each cell of the table leaves its rows in a file of their own, so that a run that was stopped goes on
where it was::

    evaluations/race/stories260K/parallel-8.parquet        what was answered
    evaluations/race/stories260K/parallel-8.times.parquet  when
    evaluations/race/stories260K/parallel-8.json           what it cost, and under which plan
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pmind.errors import DecodingError
from pmind.evaluation.answering import Answered, Asking
from pmind.evaluation.journal import Journal
from pmind.evaluation.processes import Processes
from pmind.evaluation.rows import AnswerRow, read_rows, times_path, write_rows, write_times
from pmind.methods.catalog import TRAINED, together
from pmind.tasks.records import QuestionGroup

Cell = tuple[str, int]  # method, most branches
AskAll = Callable[..., Answered]  # of a method's name and groups, with branches, title and journal by keyword


@dataclass(frozen=True)
class Plan:
    """What decides a cell's answers, beside the method and the number of branches.

    Attributes:
        model: how reports call the model.
        dataset: name of the dataset.
        source: where its questions are from.
        settings: rotary embedding, alignment, visibility, dtype and whatever else changes answers.
        max_new_tokens: most tokens of an answer.
    """

    model: str
    dataset: str
    source: str
    settings: Mapping[str, Any]
    max_new_tokens: int

    def fingerprint(self, groups: Sequence[QuestionGroup], asking: Asking) -> str:
        """Changes whenever an answer could."""
        decisive = [asdict(self), asdict(asking), [asdict(group) for group in groups]]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True, default=str).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Answers:
    """One cell's rows and what decoding them cost; seconds are medians of the repeats."""

    rows: list[AnswerRow]
    seconds: float
    prefill_s: float
    tokens: int


def cells(methods: Sequence[str], branches: Sequence[int]) -> list[Cell]:
    """The table's cells: a method that asks one question at a time has one.

    Example:
        >>> cells(["sequential", "parallel"], [4, 8])
        [('sequential', 1), ('parallel', 4), ('parallel', 8)]

    Raises:
        DecodingError: an unknown method, fewer than one branch, or nothing to run.
    """
    trained = [method for method in methods if method in TRAINED]
    if trained:
        raise DecodingError(
            f"{trained[0]!r} answers by a model that was trained for it; pmind compare finds that model"
        )
    if not (methods and branches) or min(branches) < 1:
        raise DecodingError("name at least one method, and one number of branches or more, each at least 1")
    several = list(dict.fromkeys(branches))
    return [(method, count) for method in methods for count in (several if together(method) else [1])]


def answer_cell(
    ask: AskAll,
    cell: Cell,
    groups: Sequence[QuestionGroup],
    asking: Asking,
    plan: Plan,
    folder: Path,
    processes: Processes,
    *,
    repeats: int = 1,
) -> Answers | None:
    """Answer all questions in one cell, or read what an earlier run answered under the same plan.

    Args:
        ask: puts groups to a model, see :data:`AskAll`.
        cell: method and most branches.
        groups: the questions.
        asking: how they are put.
        plan: what decides the answers.
        folder: where the cell's files are kept.
        processes: who shares the work.
        repeats: timed runs; the answers are the same.

    Returns:
        The answers on rank 0, ``None`` on the others.
    """
    method, branches = cell
    path = folder / f"{method}-{branches}.parquet"
    fingerprint = plan.fingerprint(groups, asking)
    if processes.agree(lambda: _is_done(path, fingerprint)):
        return _read(path) if processes.first else None
    own, runs = processes.share(groups), []
    journal = Journal(path.with_suffix(f".{processes.rank}.jsonl"), f"{fingerprint}/{processes.count}")
    for _ in range(repeats):
        processes.wait()
        mine = ask(
            method,
            own,
            branches=branches,
            title=f"{plan.dataset} {method} {branches}" if processes.first else "",
            journal=journal if repeats == 1 else None,  # what was answered before is not timed again
        )
        runs.append(_collect(mine, own, processes))
    if not processes.first:
        journal.remove()
        return None
    answered = runs[-1]
    _record(path).unlink(missing_ok=True)  # written last: a record vouches for the rows beside it
    write_rows(path, answered.rows)
    write_times(times_path(path), answered.times)
    cost = {name: median(getattr(run, name) for run in runs) for name in ("seconds", "prefill_s")}
    cost |= {"tokens": sum(row.new_tokens for row in answered.rows)}
    _write_record(path, {"plan": fingerprint, **cost})
    journal.remove()
    return Answers(answered.rows, **cost)


def _collect(mine: Answered, groups: Sequence[QuestionGroup], processes: Processes) -> Answered:
    """All ranks' rows in the order of the groups; seconds are those of the slowest rank."""
    sizes = [len(group.questions) for group in groups]
    rows, times = (_by_group(entries, sizes) for entries in (mine.rows, mine.times))
    parts = processes.collect(list(zip(rows, times, strict=True)))
    costs = processes.collect([(mine.seconds, mine.prefill_s)])
    if parts is None or costs is None:
        return mine
    rows, times = ([entry for part in parts for entry in part[place]] for place in (0, 1))
    return Answered(rows, times, max(cost[0] for cost in costs), max(cost[1] for cost in costs))


def _by_group(entries: Sequence[Any], sizes: Sequence[int]) -> list[list[Any]]:
    waiting = iter(entries)
    return [[next(waiting) for _ in range(size)] for size in sizes]


def _record(path: Path) -> Path:
    return path.with_suffix(".json")


def _write_record(path: Path, content: Mapping[str, Any]) -> None:
    made = _record(path).with_suffix(".part")
    made.write_text(json.dumps(content) + "\n", encoding="utf-8")
    made.replace(_record(path))


def _is_done(path: Path, fingerprint: str) -> bool:
    record = _record(path)
    return path.is_file() and record.is_file() and json.loads(record.read_text(encoding="utf-8"))["plan"] == fingerprint


def _read(path: Path) -> Answers:
    cost = json.loads(_record(path).read_text(encoding="utf-8"))
    return Answers(read_rows(path), cost["seconds"], cost["prefill_s"], cost["tokens"])
