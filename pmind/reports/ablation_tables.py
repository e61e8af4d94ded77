"""Tables of the ablations: one a sweep, labels × loss, parallel tax and scores, means over seeds."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pmind.evaluation.intervals import Estimate
from pmind.evaluation.scores import HEADLINES
from pmind.reports import formats, measures
from pmind.reports.sweeps import REMEDY, Sweep, half_width
from pmind.reports.tables import Table

SHOWN = (1, 4, 16, 64)  # branches at evaluation
TAXED = (4, 16)
WHOLE = ("branches",)  # sweeps that show every number of branches
RANKED = ("grid",)  # sweeps that put the best label first
COMPACT, COMPACT_TAXED = (1, 16), (16,)
TAX = (
    "Tax: loss at so many branches minus the loss at one branch of a model trained as long on single branches, in nats "
    "per token, paired by seed."
)
SHARED = "The models were fine-tuned from one pretrained model a seed, so that only their answers differ."

_SCORE = re.compile(r"(?P<dataset>\w+)\.(?P<method>parallel|sequential)\.(?P<measure>\w+)")


def sweep_table(sweep: Sweep) -> Table:
    """Labels × loss, tax, scores and number of seeds; a number that does not apply is empty."""
    shown = sweep.branches() if sweep.name in WHOLE else SHOWN
    return _table(sweep, shown, TAXED, scores(sweep))


def compact_sweep(sweep: Sweep) -> Table:
    """The same in few columns."""
    found = {key: title for key, title in scores(sweep).items() if ".parallel." in key}
    return _table(sweep, COMPACT, COMPACT_TAXED, found)


def scores(sweep: Sweep) -> dict[str, str]:
    """Keys of the sweep's headline scores with the titles of their columns, parallel before sequential."""
    found: dict[tuple[str, str], set[str]] = {}
    for key in {key for trial in sweep.trials for key in trial.metrics}:
        if match := _SCORE.fullmatch(key):
            found.setdefault((match["dataset"], match["method"]), set()).add(match["measure"])
    titles = {}
    for dataset, method in sorted(found):
        if headline := next((name for name in HEADLINES if name in found[dataset, method]), None):
            key = f"{dataset}.{method}.{headline}"
            titles[key] = f"{dataset} {method}: {measures.title(headline).lower()}"
    return titles


def ordered_labels(sweep: Sweep) -> list[str]:
    """The file's order; of a ranked sweep the lowest tax or loss first, what has none last."""
    labels = sweep.labels()
    if sweep.name not in RANKED:
        return labels
    found = {label: sweep.headline(label) for label in labels}
    return sorted(labels, key=lambda label: (found[label] is None, found[label] and found[label].value))


def notes(sweep: Sweep) -> tuple[str, ...]:
    """What the numbers are, and under which conditions they were made."""
    told = TAX if sweep.has_baseline() else "" if sweep.has_own_losses() else SHARED
    below = (said_spread(sweep), told)
    return tuple(filter(None, (" ".join(filter(None, below)), said_conditions(sweep))))


def said_spread(sweep: Sweep) -> str:
    """What stands behind ±; empty for a single seed."""
    seeds = {trial.seed for trial in sweep.trials}
    return f"Means of {len(seeds)} seeds ± half of the 95{formats.PERCENT} t-interval." if len(seeds) > 1 else ""


def said_conditions(sweep: Sweep) -> str:
    """Preset and conditions as a sentence, with the file that tells more."""
    preset = {"preset": sweep.preset} if sweep.preset else {}
    return f"{formats.listed({**preset, **sweep.conditions})}; `metrics/{sweep.file}`."


def loss_cell(sweep: Sweep, branches: int, label: str) -> str:
    """Mean loss of a label; empty where it was not measured, like the two below."""
    return _written(sweep.loss(label, branches), formats.nats, formats.nats)


def tax_cell(sweep: Sweep, branches: int, label: str) -> str:
    """Mean parallel tax of a label."""
    return _written(sweep.tax(label, branches), formats.signed_nats, formats.nats)


def nats_cell(sweep: Sweep, key: str, label: str) -> str:
    """Mean of another loss."""
    return _written(sweep.mean(label, key), formats.nats, formats.nats)


def score_cell(sweep: Sweep, key: str, label: str) -> str:
    """Mean of a share in percent."""
    return _written(sweep.mean(label, key), formats.share, formats.share)


def _table(sweep: Sweep, shown: Sequence[int], taxed: Sequence[int], scored: Mapping[str, str]) -> Table:
    cells: dict[str, Callable[[str], str]] = {}
    if sweep.has_own_losses():
        cells |= {f"Loss at {count}": partial(loss_cell, sweep, count) for count in shown}
        cells |= {f"Tax at {count}": partial(tax_cell, sweep, count) for count in taxed}
    cells |= {title: partial(score_cell, sweep, key) for key, title in scored.items()}
    cells |= {"Seeds": lambda label: str(len(sweep.labelled(label)))}
    labels = ordered_labels(sweep)
    columns = {title: [write(label) for label in labels] for title, write in cells.items()}
    told = {title: column for title, column in columns.items() if any(column)}
    rows = tuple(zip(map(_named, labels), *told.values(), strict=True))
    order = ", best first" if sweep.name in RANKED else ""
    measure = ": nats per token by branches at evaluation" if sweep.has_own_losses() else ""
    before = ", losses before fine-tuning" if measure and scored else ""
    caption = f"{sweep.title}{measure}{before}{order}"
    return Table(caption, (_heading(sweep), *told), rows, REMEDY, notes=notes(sweep))


def _heading(sweep: Sweep) -> str:
    """The setting that tells the labels apart, if it is a single one."""
    keys = {key for trial in sweep.trials if not trial.baseline for key in trial.setting}
    return keys.pop() if len(keys) == 1 else "Setting"


def _written(found: Estimate | None, write: Callable[[float], str], write_half: Callable[[float], str]) -> str:
    """A mean with half of its interval; empty where it was not measured."""
    if found is None:
        return ""
    half = half_width(found)
    return formats.plus_minus(write(found.value), None if half is None else write_half(half))


def _named(label: str) -> str:
    return f"`{label}`"
