"""Tables of parallel beside other engines, one for each run of ``pmind benchmark`` that was kept."""

from collections.abc import Iterable, Mapping

from pmind.reports import formats
from pmind.reports.engine_runs import COMMAND, ENGINES, EngineRun
from pmind.reports.speed_tables import conditions, milliseconds, times
from pmind.reports.tables import Row, Table
from pmind.reports.timings import BOUND, OURS, Timings, speedup

COLUMNS = {  # measure -> title, and how to write the number
    "total_s": ("Total", formats.seconds),
    "tokens_per_s": ("Tokens/s", formats.rate),
    "prefill_s": ("Prefill", formats.seconds),
    "column_ms": ("One column", milliseconds),
    "roofline_share": ("Of roofline, %", formats.share),
    "tokens_equal_sequential": ("Same tokens, %", formats.share),
}
COMPACT = ("total_s", "column_ms", "tokens_per_s", "tokens_equal_sequential")
COMPACT_BRANCHES = (8, 16)
REMEDY = f"run `{COMMAND.format(f'metrics/{ENGINES}/NAME.json')}` with the engines installed"


def engines(run: EngineRun) -> Table:
    """Branch counts × engines, with how many times faster parallel is than each; empty where one cannot tell."""
    rows = tuple(
        (*_cells(row, run.timings[row], COLUMNS), _times_faster(run.timings, *row)) for row in _by_branches(run.timings)
    )
    header = ("Method", "Branches", *(title for title, _ in COLUMNS.values()), f"{OURS} is faster")
    notes = (_versions(run), *(f"Not measured: {failure}" for failure in run.failures))
    return Table(_caption(run), header, rows, REMEDY, notes=tuple(filter(None, notes)))


def compact(run: EngineRun) -> Table:
    """The same in few columns, at 8 and 16 branches or else the most, without the bound."""
    measured = {branches for _, branches in run.timings}
    shown = measured & set(COMPACT_BRANCHES) or {max(measured, default=0)}
    rows = tuple(
        _cells(row, run.timings[row], COMPACT)
        for row in _by_branches(run.timings)
        if row[1] in shown and row[0] != BOUND
    )
    header = ("Method", "Branches", *(COLUMNS[name][0] for name in COMPACT))
    return Table(_caption(run), header, rows, REMEDY)


def no_engines() -> Table:
    """What stands where no run was kept."""
    return Table("Other engines", (), (), REMEDY)


def _by_branches(timings: Timings) -> list[tuple[str, int]]:
    return sorted(timings, key=lambda row: row[1])  # methods stay in order


def _cells(row: tuple[str, int], values: Mapping[str, float], measures: Iterable[str]) -> Row:
    method, branches = row
    return (method, str(branches), *(COLUMNS[name][1](values[name]) if name in values else "" for name in measures))


def _times_faster(timings: Timings, method: str, branches: int) -> str:
    gain = speedup(timings, branches, method) if method not in (OURS, BOUND) else None
    return times(gain) if gain else ""


def _caption(run: EngineRun) -> str:
    return conditions(run.conditions) or f"`{run.file}`"


def _versions(run: EngineRun) -> str:
    """Every version with the methods that have it."""
    methods: dict[str, list[str]] = {}
    for method in dict.fromkeys(method for method, _ in run.timings):
        if version := run.conditions.get(f"version_{method}"):
            methods.setdefault(str(version), []).append(f"`{method}`")
    return "; ".join(f"{version}: {', '.join(names)}" for version, names in methods.items())
