"""What a table is, and the tables that list files as they are."""

from collections.abc import Mapping
from dataclasses import dataclass

from pmind.reports import formats
from pmind.reports.formats import MISSING
from pmind.reports.metrics import COMMANDS, Metrics

Row = tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A caption, a header and rows of texts; a cell that does not apply is empty.

    Attributes:
        caption: what the table shows.
        header: names of the columns.
        rows: one text a column; the first heads its row.
        remedy: how to fill the cells that are missing, as an imperative.
        numeric: whether all columns but the leading ones hold numbers.
        labels: how many leading columns hold names.
        notes: sentences below the table.
    """

    caption: str
    header: Row
    rows: tuple[Row, ...]
    remedy: str
    numeric: bool = True
    labels: int = 1
    notes: tuple[str, ...] = ()

    @property
    def gap(self) -> str:
        """What to run if something is missing, else the empty text."""
        if not self.rows:
            return f"Nothing here yet: {self.remedy}."
        missing = any(MISSING in row for row in self.rows)
        return f"{MISSING} stands for a number not made yet: {self.remedy}." if missing else ""


def run(*files: str) -> str:
    """How to have FILES written."""
    return f"run `dvc repro {' '.join(dict.fromkeys(COMMANDS[file].split()[-1] for file in files))}`"


def listing(caption: str, metrics: Metrics, file: str) -> Table:
    """Every key of FILE with its value, in the file's own order."""
    values = metrics.files.get(file, {})
    rows = tuple((f"`{key}`", formats.setting(value)) for key, value in values.items())
    return Table(caption, ("Key", "Value"), rows, run(file), numeric=False)


def differing_settings(metrics: Metrics, kept: Mapping[str, Metrics]) -> Table:
    """Settings in which this run and the kept ones are not all alike."""
    runs = {"this run": metrics, **kept}
    settings = [run.files.get("settings", {}) for run in runs.values()]
    names = sorted({name for values in settings for name in values})
    differing = [name for name in names if len({str(values.get(name)) for values in settings}) > 1]
    rows = tuple(
        (f"`{name}`", *(formats.setting(values[name]) if name in values else "" for values in settings))
        for name in differing
    )
    header = ("Setting", *(name if name == "this run" else f"`{name}`" for name in runs))
    return Table("What was set differently", header, rows, run("settings"), numeric=False)


def sources(metrics: Metrics) -> Table:
    """Which stage and command wrote which file."""
    rows = tuple(
        (f"`metrics/{file}.json`", command.split()[-1], f"`{command}`", _there(metrics.files.get(file)))
        for file, command in COMMANDS.items()
    )
    kept = (
        *(*metrics.engines, *metrics.gpu, *metrics.evaluations, *metrics.comparisons),
        *(*metrics.sweeps, *metrics.models, *metrics.training_costs, *metrics.analyses),
    )
    by_hand = dict.fromkeys((f"`metrics/{run.file}`", "by hand", f"`{run.command}`", "yes") for run in kept)
    stages = (("`metrics/phases.json`", "analyze_phases", "`dvc repro analyze_phases`", _there(metrics.phases)),)
    header = ("File", "Stage", "Command", "There")
    return Table("Files this report is made from", header, (*rows, *stages, *by_hand), "", numeric=False)


def _there(found: object) -> str:
    return "not yet" if found is None else "yes"
