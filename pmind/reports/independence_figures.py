"""Figures of how much branches depend on their siblings."""

from collections.abc import Mapping, Sequence
from typing import Any

from pmind.reports.drawing import (
    INK,
    SERIES,
    band,
    branch_axis,
    canvas,
    draw,
    legend,
    numbered_look,
    panel,
    ratio_axis,
    to_svg,
)
from pmind.reports.figures import LEGEND_ROW

TITLES = {
    "changed": "other questions",
    "similar": "the most similar questions",
    "different": "the least similar questions",
    "removed": "gone",
    "duplicated": "one more, a repeat",
    "twinned": "one asks the same",
    "permuted": "other places",
    "planted": "one states a wrong answer",
    "confirmed": "one states the right answer",
    "answered": "one states its own answer",
    "misanswered": "one answers the same wrongly",
}

Row = Mapping[str, Any]


def branches_figure(content: Mapping[str, Any]) -> str | None:
    """KL and changed answers against the number of branches; nothing of a single number."""
    rows = content["by_branches"]
    if len({row["branches"] for row in rows}) < 2:
        return None
    return _curves(rows, "branches", "independence_branches", "branches")


def distance_figure(content: Mapping[str, Any]) -> str | None:
    """The same against the distance of the one sibling that changed."""
    rows = content["by_distance"]
    if len({row["distance"] for row in rows}) < 2:
        return None
    return _curves(rows, "distance", "independence_distance", "distance in branch numbers")


def mass_figure(content: Mapping[str, Any]) -> str | None:
    """KL when a sibling changes against the attention on it, a point a case; nothing where all is zero."""
    points = [(100 * mass, kl) for mass, kl in content["mass"]["points"]]
    if not any(kl > 0 for _, kl in points) or not any(mass > 0 for mass, _ in points):
        return None
    figure = canvas(3.0)
    axes = panel(figure, "KL when one sibling changes, nats per token")
    axes.plot(*zip(*points, strict=True), "o", color=SERIES[0], markersize=3.5, alpha=0.6)
    floor = min(kl for _, kl in points if kl > 0)
    axes.set_yscale("symlog", linthresh=max(floor, 1e-6))
    axes.set_xlabel("attention on that sibling, %", color=INK)
    return to_svg(figure, "independence_mass", "KL against attention, a point a case")


def _curves(rows: Sequence[Row], axis: str, name: str, label: str) -> str:
    figure = canvas(4.8 + 2 * LEGEND_ROW)
    kl = panel(figure, "KL, nats per token", (2, 1, 1))
    said = panel(figure, "greedy answers that changed, %", (2, 1, 2))
    for kind in dict.fromkeys(row["kind"] for row in rows):
        own, look = [row for row in rows if row["kind"] == kind], numbered_look(list(TITLES).index(kind))
        draw(kl, TITLES[kind], {row[axis]: row["kl"] for row in own}, look)
        draw(said, TITLES[kind], {row[axis]: 100 * row["answers_changed"] for row in own}, look)
        ends = {row[axis]: (100 * row["answers_changed_low"], 100 * row["answers_changed_high"]) for row in own}
        band(said, ends, look)
    if all(row["kl"] > 0 for row in rows):
        ratio_axis(kl, "{:g}".format)
    said.set_ylim(0, min(100, 10 + 200 * max(row["answers_changed"] for row in rows)))  # a lone document's band is wide
    for axes in (kl, said):
        branch_axis(axes, (row[axis] for row in rows), label if axes is said else "")
    legend(figure, kl, 2)
    return to_svg(figure, name, f"Dependence on siblings against {label}")
