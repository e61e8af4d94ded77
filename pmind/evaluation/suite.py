"""One dataset, one model, every method and number of branches: answers, scores, speed.

Each cell of the table leaves its rows in a file of their own, so that a run that was stopped goes on
where it was::

    evaluations/race/stories260K/parallel-8.parquet        what was answered
    evaluations/race/stories260K/parallel-8.times.parquet  when
    evaluations/race/stories260K/parallel-8.json           what it cost, and under which plan
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from pmind.errors import DecodingError
from pmind.evaluation.answering import Answered, Asking
from pmind.evaluation.comparison import compare
from pmind.evaluation.intervals import mean_interval
from pmind.evaluation.journal import Journal
from pmind.evaluation.processes import Processes
from pmind.evaluation.rows import AnswerRow, read_rows, times_path, write_rows, write_times
from pmind.evaluation.scores import BOUNDS, Scores, aggregates, score_rows
from pmind.methods.catalog import TRAINED, together
from pmind.tasks.records import QuestionGroup

REFERENCE = "sequential"  # what every other method is compared with
DECIMALS = 6

Cell = tuple[str, int]  # method, most branches
AskAll = Callable[..., Answered]  # of a method's name and groups, with branches, title and journal by keyword
ScoreMore = Callable[[Sequence[AnswerRow]], Scores]  # scores that cost something: running code, asking a judge


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


def summarise_cells(
    answers: Mapping[Cell, Answers], confidence: float, score_more: ScoreMore = lambda rows: {}
) -> Iterator[dict[str, Any]]:
    """One flat record a cell: sizes, speed, every score with its interval, and the difference to sequential.

    Args:
        answers: of every cell, to the same questions.
        confidence: level of the intervals.
        score_more: scores beyond those that a row's text gives.
    """
    scores = {cell: {**score_rows(found.rows), **score_more(found.rows)} for cell, found in answers.items()}
    reference = next((cell for cell in answers if cell[0] == REFERENCE), None)
    for cell, found in answers.items():
        documents = {row.question_id: row.document for row in found.rows}
        record = {"method": cell[0], "branches": cell[1], **_speed(found)}
        if reference is not None and cell != reference:
            record |= _against(found, answers[reference])
        for measure, values in scores[cell].items():
            record |= _estimate(measure, values, documents, confidence)
            usual = scores[reference].get(measure, {}) if reference is not None and cell != reference else {}
            if values.keys() == usual.keys():
                record |= _difference(measure, values, usual, documents, confidence)
        yield record | aggregates(found.rows)


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


def _speed(found: Answers) -> dict[str, Any]:
    return {
        "groups": len({row.group_id for row in found.rows}),
        "questions": len(found.rows),
        "documents": len({row.document for row in found.rows}),
        "prompt_tokens": sum(row.prompt_tokens for row in found.rows),
        "tokens": found.tokens,
        "rounds": max(row.round for row in found.rows),
        "no_room": sum(row.finish_reason == "no room" for row in found.rows),
        "missing": sum(row.finish_reason == "missing" for row in found.rows),
        "seconds": round(found.seconds, DECIMALS),
        "prefill_s": round(found.prefill_s, DECIMALS),
        "tokens_per_s": _rate(found.tokens, found.seconds),
        "questions_per_s": _rate(len(found.rows), found.seconds),
    }


def _rate(count: float, seconds: float) -> float:
    return round(count / seconds, 3) if seconds else 0.0  # no prompt had room


def _against(found: Answers, reference: Answers) -> dict[str, Any]:
    texts = {row.question_id: row.text for row in reference.rows}
    same = sum(row.text == texts[row.question_id] for row in found.rows)
    return {
        "speedup": _rate(reference.seconds, found.seconds),
        "same_answers": round(same / len(found.rows), DECIMALS),
    }


def _estimate(
    measure: str, values: Mapping[str, float], documents: Mapping[str, str], confidence: float
) -> dict[str, Any]:
    bounds = BOUNDS.get(measure, (0.0, 1.0))
    found = mean_interval(list(values.values()), [documents[question] for question in values], confidence, bounds)
    ends = {"": found.value, "_low": found.low, "_high": found.high}
    return {f"{measure}{end}": round(value, DECIMALS) for end, value in ends.items()} | {f"{measure}_n": found.n}


def _difference(
    measure: str,
    values: Mapping[str, float],
    reference: Mapping[str, float],
    documents: Mapping[str, str],
    confidence: float,
) -> dict[str, Any]:
    low, high = BOUNDS.get(measure, (0.0, 1.0))
    found = compare(values, reference, documents, confidence, (low - high, high - low))
    ends = {"": found.difference.value, "_low": found.difference.low, "_high": found.difference.high}
    name = f"{measure}_minus_{REFERENCE}"
    return {f"{name}{end}": round(value, DECIMALS) for end, value in ends.items()} | {
        f"{name}_p": round(found.p_value, DECIMALS)
    }
