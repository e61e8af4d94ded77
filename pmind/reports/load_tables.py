"""The stream of groups: how long they waited and took, by rate of arrival."""

import re

from pmind.reports import formats
from pmind.reports.metrics import Metrics
from pmind.reports.tables import Table, run

PERCENTILES = (50, 95, 99)
COLUMNS = {  # measure -> title, and how to write the number
    "arriving": ("Arriving, questions/s", formats.rate),
    "questions_per_s": ("Answered/s", formats.rate),
    "goodput_questions_per_s": ("In time/s", formats.rate),
    **{f"queue_p{p}_s": (f"Queue p{p}", formats.seconds) for p in PERCENTILES},
    **{f"latency_p{p}_s": (f"Latency p{p}", formats.seconds) for p in PERCENTILES},
}

_AT = re.compile(r"load\.at_(?P<percent>\d+)\.(?P<measure>\w+)")


def load_rates(metrics: Metrics) -> dict[int, dict[str, float]]:
    """Measures by rate of arrival, in percent of capacity; ``arriving`` in questions a second, as the others."""
    rates: dict[int, dict[str, float]] = {}
    for key in metrics.files.get("load", {}):
        value = metrics.number("load", key)
        if (match := _AT.fullmatch(key)) and value is not None:
            rates.setdefault(int(match["percent"]), {})[match["measure"]] = value
    branches = metrics.number("load", "load.branches") or 1
    for measures in rates.values():
        if "arrivals_per_s" in measures:  # groups
            measures["arriving"] = branches * measures["arrivals_per_s"]
    return {percent: rates[percent] for percent in sorted(rates)}


def load(metrics: Metrics) -> Table:
    """Rates of arrival × rates of answering, waiting and latency."""
    rows = tuple(
        (f"{percent}{formats.PERCENT}", *(write(measures.get(name)) for name, (_, write) in COLUMNS.items()))
        for percent, measures in load_rates(metrics).items()
    )
    header = ("Of capacity", *(title for title, _ in COLUMNS.values()))
    return Table("Waiting and latency by rate of arrival", header, rows, run("load"))


def load_conditions(metrics: Metrics) -> str:
    """What was served, what the engine can do, and what counts as in time."""
    groups, branches, together, deadline, alone, capacity = (
        metrics.number("load", f"load.{name}")
        for name in ("groups", "branches", "max_groups", "deadline_s", "one_group_s", "capacity_questions_per_s")
    )
    multiple = f"{deadline / alone:.2g} times" if deadline and alone else "a multiple of"
    return (
        f"{formats.fixed(groups, 0)} groups of {formats.fixed(branches, 0)} questions, at most "
        f"{formats.fixed(together, 0)} of them decoded at a time. All at once they are answered at "
        f"{formats.rate(capacity)} questions per second, the capacity. An answer is in time within "
        f"{formats.seconds(deadline)}, {multiple} what one group takes alone."
    )
