"""Tables of what the answers are worth: scores, validation loss, kept runs beside this one."""

import math
from collections.abc import Callable, Mapping, Sequence

from pmind.reports import formats, measures
from pmind.reports.metrics import DATASETS, Metrics
from pmind.reports.tables import Row, Table, run
from pmind.reports.timings import in_order

MEASURES = ("em", "f1", "accuracy")  # the others stand in a table of their own
BASE = "base"  # the method of the model before fine-tuning
BASE_NOTE = f"`{BASE}` is the model before fine-tuning, asked one question at a time."
PAIRS = {"parallel_minus_sequential": "parallel − sequential", "parallel_minus_base": f"parallel − {BASE}"}
SIZES = ("n", "groups", "documents", "accuracy_n")
DERIVED = ("_low", "_high", "_swapped_context")


def quality(metrics: Metrics, dataset: str) -> Table:
    """Methods × measures, then their differences, the swapped passages and the blind guess."""
    shown = _measures(metrics, dataset)
    header = ("Method", *map(measures.title, shown))
    remedy = run("quality")
    if dataset not in metrics.datasets():
        return Table(DATASETS.get(dataset, dataset), header, (), remedy)
    swapped = [_row(metrics, dataset, "swapped passages", "parallel.{}_swapped_context", shown)]
    if metrics.number("quality", f"{dataset}.parallel.n_swapped_context") == 0:
        swapped = []  # no passage had another to swap with
    rows = (
        *_method_rows(metrics, dataset, shown),
        *swapped,
        ("blind guess", *_chance_cells(metrics, dataset, shown)),
    )
    return Table(_caption(metrics, dataset), header, rows, remedy, notes=(BASE_NOTE,))


def other_scores(metrics: Metrics, dataset: str) -> tuple[Table, ...]:
    """The methods and their differences by every further measure; no table if there are none.

    What only some methods have, or what has no difference, is empty there.
    """
    start = f"{dataset}.parallel."
    found = (key.removeprefix(start) for key in metrics.files.get("quality", {}) if key.startswith(start))
    plain = {name for name in found if not name.endswith(DERIVED)} - {*SIZES, *MEASURES}
    shown = in_order({name for name in plain if metrics.number("quality", start + name) is not None}, measures.NAMES)
    if not shown:
        return ()
    rows = (
        (name, *("" if cell == formats.MISSING else cell for cell in cells))
        for name, *cells in _method_rows(metrics, dataset, shown)
    )
    told = tuple(row for row in rows if any(row[1:]))
    caption = f"Other scores, {DATASETS.get(dataset, dataset)}: {intervals(metrics)}"
    return (Table(caption, ("Method", *map(measures.title, shown)), told, run("quality")),)


def intervals(metrics: Metrics) -> str:
    """What the numbers in parentheses are: ``95 % intervals``."""
    confidence = metrics.number("quality", "interval.confidence")
    return "intervals" if confidence is None else f"{100 * confidence:g}{formats.PERCENT} intervals"


def loss(metrics: Metrics) -> Table:
    """Validation loss by number of branches, and the perplexity that it stands for; tokens weigh the same."""
    losses = metrics.losses()
    rows = tuple(
        (
            str(branches),
            formats.nats(value),
            formats.signed_nats(_minus(value, losses.get(1))),
            formats.fixed(math.exp(value), 3),
        )
        for branches, value in losses.items()
    )
    header = ("Branches", "Nats per token", "Above one branch", "Perplexity")
    return Table("Validation loss of the same texts by number of branches", header, rows, run("loss"))


def position_loss(metrics: Metrics) -> tuple[Table, ...]:
    """Validation loss by position in a branch × number of branches; no table where it was not measured."""
    found = metrics.position_losses()
    counts = sorted({branches for line in found.values() for branches in line})
    rows = tuple((str(at), *(formats.nats(line.get(count)) for count in counts)) for at, line in found.items())
    header = ("Position", *(f"{count} branch{'es' if count > 1 else ''}" for count in counts))
    caption = "Validation loss by position of the token in its branch, nats per token"
    return (Table(caption, header, rows, run("loss")),) if rows else ()


def comparison(metrics: Metrics, kept: Mapping[str, Metrics]) -> Table:
    """This run's numbers, and those of kept runs with their difference to it."""
    columns = _compared(metrics, kept)
    header = ("Run", *columns)
    remedy = "run `dvc exp run -S rope_2d_ratio=0`, then `pmind keep rope_2d_ratio=0` and `dvc repro report`"
    if not kept:
        return Table("This run beside others", header, (), remedy)
    own = ("this run", *(_compared_cell(metrics, metrics, *address) for address in columns.values()))
    others = (
        (f"`{name}`", *(_compared_cell(other, metrics, *address) for address in columns.values()))
        for name, other in kept.items()
    )
    return Table("This run beside others, with the difference to this run", header, (own, *others), remedy)


def _measures(metrics: Metrics, dataset: str) -> list[str]:
    measured = {name for name in MEASURES if metrics.number("quality", f"{dataset}.parallel.{name}") is not None}
    return in_order(measured | {"em", "f1"}, MEASURES)


def _method_rows(metrics: Metrics, dataset: str, shown: Sequence[str]) -> list[Row]:
    """A row a method, the untuned model always among them, and the differences."""
    methods = dict.fromkeys((*metrics.methods(dataset), BASE))
    return [
        *(_row(metrics, dataset, name, f"{name}.{{}}", shown) for name in methods),
        *(_row(metrics, dataset, name, f"{key}.{{}}", shown, formats.points) for key, name in PAIRS.items()),
    ]


def _row(
    metrics: Metrics, dataset: str, name: str, key: str, shown: Sequence[str], write: Callable[..., str] = formats.share
) -> Row:
    return (name, *(write(*metrics.interval(f"{dataset}.{key.format(measure)}")) for measure in shown))


def _caption(metrics: Metrics, dataset: str) -> str:
    questions, options, groups = (
        metrics.number("quality", f"{dataset}.parallel.{name}") for name in ("n", "accuracy_n", "groups")
    )
    with_options = f" ({formats.fixed(options, 0)} with options)" if options and options != questions else ""
    return (
        f"{DATASETS.get(dataset, dataset)}: {formats.fixed(questions, 0)} questions{with_options} "
        f"in {formats.fixed(groups, 0)} groups, {intervals(metrics)}"
    )


def _chance_cells(metrics: Metrics, dataset: str, shown: Sequence[str]) -> Row:
    values = {name: metrics.number("quality", f"{dataset}.chance.{name}") for name in shown}
    return tuple("" if name == "f1" else formats.share(value) for name, value in values.items())


def _compared(metrics: Metrics, kept: Mapping[str, Metrics]) -> dict[str, tuple[str, str]]:
    """Columns of the comparison: title -> (file, key)."""
    columns = {
        f"{dataset} {measures.title(name).lower()}": ("quality", f"{dataset}.parallel.{name}")
        for dataset in metrics.datasets()
        for name in ("em", "accuracy")
        if name in _measures(metrics, dataset)
    }
    common = set(metrics.losses()).intersection(*(other.losses() for other in kept.values() if other.losses()))
    for branches in (1, max(common, default=16)):
        columns[f"Loss at {branches}"] = ("loss", f"loss.branches_{branches}")
    return columns


def _compared_cell(run: Metrics, reference: Metrics, file: str, key: str) -> str:
    """One number of a run, with its difference to the reference unless that is the run itself."""
    value = run.number(file, key)
    difference = _minus(value, reference.number(file, key))
    if file == "quality":
        text, change = formats.share(value), formats.points(difference)
    else:
        text, change = formats.nats(value), formats.signed_nats(difference)
    return text if run is reference or difference is None else f"{text} ({change})"


def _minus(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first - second
