"""Tables of one evaluation each: reading comprehension (the origin's Table 5), and every score of any other."""

from collections.abc import Mapping, Sequence

from pmind.evaluation.scores import COMPARED
from pmind.reports import formats, measures
from pmind.reports.comparisons import Comparison
from pmind.reports.evaluation_notes import intervals, machine, notes
from pmind.reports.evaluation_runs import COMMAND, EVALUATIONS, REFERENCE, Cell, EvaluationRun
from pmind.reports.speed_tables import times
from pmind.reports.tables import Row, Table
from pmind.reports.timings import Timings

BRANCHES = "Branches"
AT_ONCE = "Questions at once"  # what the number of branches is to a reader of answers
SPEED = {  # key -> title, and how to write the number
    "questions_per_s": ("Questions/s", formats.rate),
    "tokens_per_s": ("Tokens/s", formats.rate),
    "speedup": ("× sequential", times),
    "same_answers": ("Same answers, %", formats.share),
    "group_s": ("s/group", formats.seconds),
    "read": ("Tokens read", formats.setting),
    "written": ("Tokens written", formats.setting),
    "rounds": ("Rounds", formats.setting),
}
RATES = ("questions_per_s", "tokens_per_s", "speedup", "same_answers")
COSTS = ("group_s", "read", "written", "rounds")
READING = ("f1", "em")
CHOICES_OR_PROSE = {"accuracy", "accuracy_generated", "bleu4"}  # where F1 and exact match are not what counts
ONE_AT_A_TIME = ("sequential", "sequential_cached")
COMPACT_BRANCHES = (4, 8)
COMPACT_ROWS = 5  # of the best run; the report has them all


def remedy(dataset: str) -> str:
    """How to have a run of DATASET."""
    return f"run `{COMMAND.format(dataset, f'metrics/{EVALUATIONS}/NAME.json')}`"


def is_reading(run: EvaluationRun) -> bool:
    """Whether answers are spans of a passage, scored by F1 and exact match."""
    found = set(run.measures())
    return found.issuperset(READING) and not found & CHOICES_OR_PROSE


def reading(run: EvaluationRun) -> Table:
    """Questions a second, speed-up, F1 and exact match of each cell, then what else it was scored by."""
    order = (*READING, *(measure for measure in run.measures() if measure not in READING))
    speed = [key for key in RATES if key != "tokens_per_s"]
    return table(f"Reading comprehension: {_caption(run)}", AT_ONCE, run, speed, order)


def scores(run: EvaluationRun) -> Table:
    """Speed and every score of each cell, with its difference to ``sequential``."""
    return table(_caption(run), BRANCHES, run, RATES, run.measures())


def comparison(run: Comparison) -> Table:
    """Seconds a group, tokens read and written, rounds, and the headline scores of every method."""
    order = [measure for measure in COMPARED if measure in run.measures()]
    said = "; ".join(f"`{method}`: {reason}" for method, reason in run.skipped.items())
    below = (f"Left out: {said}.",) if said else ()
    return table(_caption(run), AT_ONCE, run, COSTS, order, below)


def by_kind(run: Comparison) -> tuple[Table, ...]:
    """The headline score of every kind of question, and its difference to ``sequential``; no table without kinds."""
    measure = next((name for name in COMPARED for rows in run.kinds.values() if _any(rows, name)), None)
    if measure is None:
        return ()
    header = ["Method"]
    for kind in run.kinds:
        header += [f"{kind}: {measures.title(measure)}", f"− {REFERENCE}"]
    rows = tuple(
        (cell[0], *(text for known in run.kinds.values() for text in _kind(known.get(cell, {}), measure)))
        for cell in run.rows
    )
    caption = f"{_caption(run)}, by kind of question"
    return (Table(caption, tuple(header), rows, f"run `{run.command}`"),)


def surely_differs(run: Comparison) -> bool:
    """Whether some method's score of some kind of question differs from that of ``sequential`` beyond its interval."""
    return any(
        values.get(f"{measure}_minus_{REFERENCE}_low", 0) > 0 or values.get(f"{measure}_minus_{REFERENCE}_high", 0) < 0
        for known in run.kinds.values()
        for values in known.values()
        for measure in COMPARED
    )


def _any(rows: Timings, measure: str) -> bool:
    return any(measure in values for values in rows.values())


def _kind(values: Mapping[str, float], measure: str) -> tuple[str, str]:
    """A score and its difference; empty where there is none."""
    found, difference = (
        [values.get(key + end) for end in ("", "_low", "_high")] for key in (measure, f"{measure}_minus_{REFERENCE}")
    )
    said = "" if found[0] is None else measures.score(measure, *found)
    return said, "" if difference[0] is None else measures.difference(measure, *difference)


def no_reading() -> Table:
    """What stands where no run of reading comprehension was kept."""
    return Table("Reading comprehension", (), (), remedy("squad"))


def compact_reading(runs: Sequence[EvaluationRun]) -> Table:
    """Few columns and rows of the runs of reading comprehension, SQuAD and high scores first; nothing without runs."""
    chosen = sorted(filter(is_reading, runs), key=lambda run: (run.dataset != "squad", -_best(run)))
    shown, left = fitting([[_compact_row(run, cell) for cell in compact_cells(run.rows)] for run in chosen])
    header = ("Dataset", "Model", "Method", AT_ONCE, "Questions/s", "× sequential", *map(measures.title, READING))
    below = tuple(_compact_note(run) for run in chosen[: len(chosen) - left])
    return Table("Reading comprehension", header, shown, remedy("squad"), labels=3, notes=(*below, *more(left, "runs")))


def compact_cells(cells: Sequence[Cell]) -> list[Cell]:
    """Cells at 4 and 8 branches or else the most, and those of methods that ask one question at a time."""
    counts = {branches for method, branches in cells if method not in ONE_AT_A_TIME}
    shown = counts & set(COMPACT_BRANCHES) or {max(counts, default=1)}
    return [cell for cell in cells if cell[0] in ONE_AT_A_TIME or cell[1] in shown]


def fitting(blocks: Sequence[Sequence[Row]]) -> tuple[tuple[Row, ...], int]:
    """The rows of the first blocks, as many as make a short table, and how many blocks are left."""
    shown: list[Row] = []
    for number, block in enumerate(blocks):
        if shown and len(shown) + len(block) > COMPACT_ROWS:
            return tuple(shown), len(blocks) - number
        shown.extend(block)
    return tuple(shown), 0


def more(left: int, what: str) -> tuple[str, ...]:
    """A note that WHAT, in the plural, did not all fit."""
    return (f"The report has {left} more {what if left > 1 else what.removesuffix('s')}.",) if left else ()


def table(
    caption: str,
    branches: str,
    run: EvaluationRun,
    speed: Sequence[str],
    order: Sequence[str],
    below: tuple[str, ...] = (),
) -> Table:
    """A row a cell: some of :data:`SPEED`, then measures in an order, each beside its difference to ``sequential``.

    Args:
        caption: of the table.
        branches: heading of the number of branches.
        run: what is told.
        speed: keys of :data:`SPEED`.
        order: measures.
        below: notes beside the usual ones.
    """
    differing = [measure for measure in order if any(_has_difference(run, cell, measure) for cell in run.rows)]
    header = ["Method", branches, *(SPEED[key][0] for key in speed)]
    for measure in order:
        header.append(f"{measures.title(measure)} ({_n(run, measure)})")
        header += [f"{measures.name(measure)} − {REFERENCE}"] if measure in differing else []
    header += map(measures.title, run.aggregates())
    rows = tuple(_row(run, cell, speed, order, differing) for cell in run.rows)
    return Table(caption, tuple(header), rows, remedy(run.dataset), notes=(*notes(run), *below))


def _row(run: EvaluationRun, cell: Cell, speed: Sequence[str], order: Sequence[str], differing: Sequence[str]) -> Row:
    """One cell of the run; what it cannot tell is empty."""
    cells = [cell[0], str(cell[1]), *(_speed(run, cell, key) for key in speed)]
    for measure in order:
        cells.append(_score(run, cell, measure))
        cells += [_difference(run, cell, measure)] if measure in differing else []
    return (*cells, *(_score(run, cell, measure) for measure in run.aggregates()))


def _speed(run: EvaluationRun, cell: Cell, key: str) -> str:
    value = run.number(cell, key)
    if key == "speedup" and cell[0] == REFERENCE:
        value = 1.0
    return "" if value is None else SPEED[key][1](value)


def _score(run: EvaluationRun, cell: Cell, measure: str) -> str:
    estimate = run.interval(cell, measure)
    return "" if estimate[0] is None else measures.score(measure, *estimate)


def _difference(run: EvaluationRun, cell: Cell, measure: str) -> str:
    if not _has_difference(run, cell, measure):
        return ""
    key = f"{measure}_minus_{REFERENCE}"
    chance = run.number(cell, f"{key}_p")
    said = f", {formats.p_value(chance)}" if chance is not None else ""
    return measures.difference(measure, *run.interval(cell, key)) + said


def _has_difference(run: EvaluationRun, cell: Cell, measure: str) -> bool:
    return run.number(cell, f"{measure}_minus_{REFERENCE}") is not None


def _n(run: EvaluationRun, measure: str) -> str:
    """On how many questions the score rests; they differ where some judgements failed."""
    counts = [values[f"{measure}_n"] for values in run.rows.values() if f"{measure}_n" in values]
    ends = dict.fromkeys(formats.fixed(count, 0) for count in (min(counts), max(counts)))
    return f"n {'–'.join(ends)}"


def _caption(run: EvaluationRun) -> str:
    return f"`{run.dataset}` by `{run.model}` ({intervals(run.conditions)}, differences in points)"


def _best(run: EvaluationRun) -> float:
    return max((run.number(cell, READING[0]) or 0.0 for cell in run.rows), default=0.0)


def _compact_row(run: EvaluationRun, cell: Cell) -> Row:
    speed = (_speed(run, cell, key) for key in ("questions_per_s", "speedup"))
    names = (f"`{run.dataset}`", f"`{run.model}`", cell[0], str(cell[1]))
    return (*names, *speed, *(_score(run, cell, measure) for measure in READING))


def _compact_note(run: EvaluationRun) -> str:
    named = f"`{run.dataset}` by `{run.model}`: {_n(run, READING[0])}"
    return f"{named}, {machine(run.conditions)}, {intervals(run.conditions)}; `metrics/{run.file}`."
