"""Methods × branches × knowledge and reasoning benchmarks: tokens a second and accuracy (the origin's Table 1)."""

from collections.abc import Mapping, Sequence

from pmind.reports import formats, measures
from pmind.reports.evaluation_notes import intervals, machine, notes
from pmind.reports.evaluation_runs import Cell, EvaluationRun
from pmind.reports.evaluation_tables import BRANCHES, remedy
from pmind.reports.tables import Row, Table
from pmind.reports.timings import in_table_order

FAMILIES = {"mmlu": "MMLU", "ceval": "C-Eval", "cmmlu": "CMMLU", "gsm8k": "GSM8K", "humaneval": "HumanEval"}
ASKED = ("mmlu", "ceval", "gsm8k", "humaneval")  # the origin's columns
ACCURACY = {"humaneval": "pass_at_1"}  # where it is not called accuracy
SETTINGS = ("parameters", "visibility", "alignment", "rope_2d_ratio")  # what tells models of one name apart
CAPTION = "Methods × branches: tokens per second and accuracy"
REMEDY = f"{remedy('mmlu')}, HumanEval with `--run-code`"

Columns = Mapping[str, Mapping[str, EvaluationRun]]  # title -> label of the model -> run


def is_benchmark(run: EvaluationRun) -> bool:
    """Whether the run has a column in Table 1."""
    return _family(run.dataset) in FAMILIES


def benchmarks(runs: Sequence[EvaluationRun]) -> tuple[Table, ...]:
    """Model × method × branches and two columns a dataset: a table a machine and dtype, or one without rows."""
    tables = []
    for where, alike in _by_machine(runs).items():
        columns = _columns(alike)
        rows = tuple(row for label in _labels(columns) for row in _rows(label, columns, _cells(label, columns)))
        below = tuple(f"{_said(title, run)}: {' '.join(notes(run))}" for title, run in _listed(columns))
        tables.append(
            Table(_caption(where, alike), _header(columns), rows, REMEDY, labels=2, notes=(*below, *_not_run(alike)))
        )
    return tuple(tables) or (Table(CAPTION, (), (), REMEDY),)


def _family(dataset: str) -> str:
    return dataset.partition("-")[0]


def _by_machine(runs: Sequence[EvaluationRun]) -> dict[str, list[EvaluationRun]]:
    """Runs of benchmarks by what their speed depends on; only like speeds stand in one table."""
    found: dict[str, list[EvaluationRun]] = {}
    for run in filter(is_benchmark, runs):
        found.setdefault(machine(run.conditions), []).append(run)
    return found


def _columns(runs: Sequence[EvaluationRun]) -> Columns:
    """Datasets in the order of the origin; a second run of one model and dataset is told by its file."""
    ranks = list(FAMILIES)
    found: dict[str, dict[str, EvaluationRun]] = {}
    for run in sorted(runs, key=lambda run: (ranks.index(_family(run.dataset)), run.dataset, run.file)):
        title, label = _title(run.dataset), _label(run, runs)
        if label in found.get(title, {}):
            title = f"{title} ({run.name})"
        found.setdefault(title, {})[label] = run
    return found


def _title(dataset: str) -> str:
    family, _, variant = dataset.partition("-")
    return f"{FAMILIES[family]} {variant}".strip()


def _label(run: EvaluationRun, runs: Sequence[EvaluationRun]) -> str:
    """The model's name, with the settings in which models of this name are not all alike."""
    alike = [other.conditions for other in runs if other.model == run.model]
    differing = [key for key in SETTINGS if len({str(told.get(key)) for told in alike}) > 1]
    said = ", ".join(f"{key} {formats.setting(run.conditions.get(key, 'unknown'))}" for key in differing)
    return f"{run.model} ({said})" if said else run.model


def _labels(columns: Columns) -> list[str]:
    return list(dict.fromkeys(label for by_label in columns.values() for label in by_label))


def _listed(columns: Columns) -> list[tuple[str, EvaluationRun]]:
    return [(title, run) for title, by_label in columns.items() for run in by_label.values()]


def _cells(label: str, columns: Columns) -> list[Cell]:
    """Every method and number of branches with which the model answered any of the datasets."""
    runs = [by_label[label] for by_label in columns.values() if label in by_label]
    return list(in_table_order({cell: {} for run in runs for cell in run.rows}))


def _rows(label: str, columns: Columns, cells: Sequence[Cell]) -> list[Row]:
    return [
        (f"`{label}`", cell[0], str(cell[1]), *(text for by in columns.values() for text in _pair(by.get(label), cell)))
        for cell in cells
    ]


def _pair(run: EvaluationRun | None, cell: Cell) -> tuple[str, str]:
    """Tokens a second and accuracy; empty where it was not run."""
    if run is None or cell not in run.rows:
        return "", ""
    measure = _accuracy(run.dataset)
    return formats.rate(run.number(cell, "tokens_per_s")), measures.score(measure, *run.interval(cell, measure))


def _accuracy(dataset: str) -> str:
    return ACCURACY.get(_family(dataset), "accuracy")


def _header(columns: Columns) -> Row:
    pairs = [(title, measures.title(_accuracy(next(iter(by.values())).dataset))) for title, by in columns.items()]
    named = (
        f"{title}: {column}" for title, accuracy in pairs for column in ("tokens/s", accuracy[0].lower() + accuracy[1:])
    )
    return ("Model", "Method", BRANCHES, *named)


def _caption(where: str, runs: Sequence[EvaluationRun]) -> str:
    levels = dict.fromkeys(intervals(run.conditions) for run in runs)
    return f"{CAPTION} ({', '.join(filter(None, (where, *levels)))})"


def _said(title: str, run: EvaluationRun) -> str:
    return f"{title} by `{run.model}`"


def _not_run(runs: Sequence[EvaluationRun]) -> tuple[str, ...]:
    missing = [family for family in ASKED if family not in {_family(run.dataset) for run in runs}]
    names = ", ".join(FAMILIES[family] for family in missing)
    return (f"Not run here: {names}. To have one, {remedy(missing[0])}.",) if missing else ()
