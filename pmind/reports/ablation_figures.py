"""Figures of the ablations: lines over branches, points of many settings, and the grid of four of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from pmind.evaluation.intervals import Estimate
from pmind.reports import formats, measures
from pmind.reports.ablation_tables import WHOLE, scores
from pmind.reports.drawing import (
    INK,
    SERIES,
    band,
    branch_axis,
    canvas,
    difference_axis,
    draw,
    legend,
    legend_columns,
    method_look,
    numbered_look,
    panel,
    ratio_axis,
    to_svg,
    widen,
)
from pmind.reports.figures import LEAST_LOSS_SPAN, LEGEND_ROW
from pmind.reports.formats import Value
from pmind.reports.sections import Figure
from pmind.reports.sweeps import Sweep, half_width

MOST_LINES = 11  # as many colours as there are
WIDE = 2.0  # losses of which one is so many times another want equal ratios at equal distances
GRID = (
    "pair_placement",
    "branch_encoding",
    "rope_2d_ratio",
    "branch_stride",
)  # panel row and column, cell row and column
LEAST_CELLS = 4
APART = 0.26  # rows, between two methods' points
STRONGEST = 0.55  # opacity under text

Line = Mapping[int, Estimate]


@dataclass(frozen=True)
class Grid:
    """Headline numbers by the values of the four settings of :data:`GRID`."""

    values: Mapping[tuple[Value, ...], float]

    def axis(self, number: int) -> list[Value]:
        """Values of a setting, numbers in order."""
        return sorted({place[number] for place in self.values}, key=lambda value: (isinstance(value, str), value))

    def strength(self, value: float) -> float:
        """From 0 for the worst cell to 1 for the best, in equal steps."""
        ranked = sorted(set(self.values.values()), reverse=True)
        return ranked.index(value) / max(len(ranked) - 1, 1)


def sweep_figure(sweep: Sweep) -> Figure | None:
    """The sweep as a grid if it is one, as lines over branches, or as points if these were too many."""
    shown = f"{sweep.title}: {_measure(sweep)}"
    at = f"at {sweep.headline_branches()} branches"
    found, lines = grid(sweep), sweep_lines(sweep)
    if len(found.values) >= LEAST_CELLS:
        caption, svg = f"{shown} {at}, the lowest in the strongest colour.", _grid_figure(sweep, found)
    elif len(lines) > MOST_LINES:
        caption = f"{shown} {at}, with 95 % intervals where there are several seeds."
        svg = _points_figure(sweep)
    elif lines:
        caption, svg = f"{shown} by number of branches, with 95 % bands over seeds.", _lines_figure(sweep, lines)
    else:
        return None
    return Figure(_name(sweep), caption, svg)


def scores_figure(sweep: Sweep) -> Figure | None:
    """Each headline score by label, parallel beside sequential, with intervals; nothing without scores."""
    panels: dict[str, list[str]] = {}
    for key in scores(sweep):
        panels.setdefault(key.split(".")[0], []).append(key)
    if not panels:
        return None
    labels = [label for label in sweep.labels() if any(sweep.mean(label, key) for key in scores(sweep))]
    figure = canvas(LEGEND_ROW + len(panels) * (0.7 + 0.3 * len(labels)))
    for number, (dataset, keys) in enumerate(panels.items(), start=1):
        axes = panel(figure, f"{dataset}: {measures.title(keys[0].split('.')[2]).lower()}", (len(panels), 1, number))
        for at, key in enumerate(keys):
            _score_points(axes, sweep, key, labels, (at - (len(keys) - 1) / 2) * APART)
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.4, -0.6)
    legend(figure, axes)
    name = f"{_name(sweep)}_scores"
    svg = to_svg(figure, name, "Scores by setting, parallel beside sequential")
    return Figure(name, f"{sweep.title}: scores after fine-tuning.", svg)


def grid(sweep: Sweep) -> Grid:
    """Headline numbers of the labels that set all of :data:`GRID`; none where fewer than three of them vary."""
    places = {trial.label: tuple(trial.setting.get(key) for key in GRID) for trial in sweep.trials}
    found = {place: sweep.headline(label) for label, place in places.items() if None not in place}
    values = {place: estimate.value for place, estimate in found.items() if estimate is not None}
    varied = [number for number in range(len(GRID)) if len({place[number] for place in values}) > 1]
    return Grid(values if len(varied) > 2 else {})


def sweep_lines(sweep: Sweep) -> dict[str, Line]:
    """Tax by label and number of branches; loss if there is no baseline to tell a tax from."""
    taxed = sweep.has_baseline()
    measure = sweep.tax if taxed else sweep.loss
    lines = {
        label: {count: found for count in sweep.branches() if (found := measure(label, count)) is not None}
        for label in sweep.labels(baselines=not taxed or sweep.name in WHOLE)
    }
    return {label: line for label, line in lines.items() if line and sweep.has_own_losses()}


def _measure(sweep: Sweep) -> str:
    return "parallel tax" if sweep.has_baseline() else "loss"


def _axis_title(sweep: Sweep) -> str:
    return f"{_measure(sweep)}, nats per token"


def _lines_figure(sweep: Sweep, lines: Mapping[str, Line]) -> str:
    columns = legend_columns(lines)
    figure = canvas(3.0 + LEGEND_ROW * -(-len(lines) // columns))
    axes = panel(figure, _axis_title(sweep))
    for number, (label, line) in enumerate(lines.items()):
        look = numbered_look(number)
        draw(axes, label, {count: found.value for count, found in line.items()}, look)
        known = {count: found for count, found in line.items() if half_width(found) is not None}
        band(axes, {count: (found.low, found.high) for count, found in known.items()}, look)
    branch_axis(axes, (count for line in lines.values() for count in line), "branches at evaluation")
    _upwards(axes, sweep, [found.value for line in lines.values() for found in line.values()])
    legend(figure, axes, columns)
    return to_svg(figure, _name(sweep), f"{_axis_title(sweep)}, against branches".capitalize())


def _upwards(axes: Axes, sweep: Sweep, values: Sequence[float]) -> None:
    """A linear axis, unless a few values would press the others flat."""
    if sweep.has_baseline():
        difference_axis(axes, values)
    elif max(values) > WIDE * min(values) > 0:
        ratio_axis(axes, lambda loss: f"{loss:g}")
    else:
        widen(axes, LEAST_LOSS_SPAN)


def _points_figure(sweep: Sweep) -> str:
    """A row a label, its headline with the interval."""
    found = {label: sweep.headline(label) for label in sweep.labels(baselines=not sweep.has_baseline())}
    shown = {label: estimate for label, estimate in found.items() if estimate is not None}
    figure = canvas(0.9 + 0.2 * len(shown))
    axes = panel(figure, f"{_axis_title(sweep)}, at {sweep.headline_branches()} branches")
    values = [estimate.value for estimate in shown.values()]
    halves = [half_width(estimate) or 0 for estimate in shown.values()]
    axes.errorbar(values, list(shown), xerr=halves, fmt="o", color=SERIES[0], markersize=4, elinewidth=1.4)
    axes.invert_yaxis()
    axes.margins(y=0.6 / max(len(shown), 1))
    return to_svg(figure, _name(sweep), f"{_axis_title(sweep)}, by setting".capitalize())


def _score_points(axes: Axes, sweep: Sweep, key: str, labels: Sequence[str], offset: float) -> None:
    """One method's score a label, beside the other methods' of the same row."""
    method = key.split(".")[1]
    look = method_look(method)
    found = {row: estimate for row, label in enumerate(labels) if (estimate := sweep.mean(label, key)) is not None}
    axes.errorbar(
        [100 * estimate.value for estimate in found.values()],
        [row + offset for row in found],
        xerr=[100 * (half_width(estimate) or 0) for estimate in found.values()],
        **{"fmt": look.marker, "color": look.colour, "label": method, "markersize": 4.5, "elinewidth": 1.4},
    )


def _grid_figure(sweep: Sweep, found: Grid) -> str:
    rows, columns = found.axis(0), found.axis(1)
    ratios, strides = found.axis(2), found.axis(3)
    figure = canvas(0.3 + len(rows) * (0.55 + 0.26 * len(ratios)))
    for row, placement in enumerate(rows):
        for column, encoding in enumerate(columns):
            axes = panel(figure, f"{placement}, {encoding}", (len(rows), len(columns), row * len(columns) + column + 1))
            axes.grid(visible=False)
            _cells(axes, found, (placement, encoding), ratios, strides)
            axes.set_xlabel(GRID[3] if row == len(rows) - 1 else "", color=INK, fontsize=9)
            axes.set_ylabel(GRID[2] if column == 0 else "", color=INK, fontsize=9)
    return to_svg(figure, _name(sweep), f"{_measure(sweep)} by {', '.join(GRID)}".capitalize())


def _cells(
    axes: Axes, found: Grid, place: tuple[Value, Value], ratios: Sequence[Value], strides: Sequence[Value]
) -> None:
    """Ratio × stride, each cell with its number; empty where it was not trained."""
    for y, ratio in enumerate(ratios):
        for x, stride in enumerate(strides):
            value = found.values.get((*place, ratio, stride))
            if value is None:
                continue
            opacity = STRONGEST * found.strength(value)
            axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=SERIES[0], alpha=opacity, linewidth=0))
            axes.text(x, y, formats.fixed(value, 3), ha="center", va="center", color=INK, fontsize=7.5)
    axes.set_xticks(range(len(strides)), list(map(formats.setting, strides)), fontsize=8)
    axes.set_yticks(range(len(ratios)), list(map(formats.setting, ratios)), fontsize=8)
    axes.set_xlim(-0.5, len(strides) - 0.5)
    axes.set_ylim(len(ratios) - 0.5, -0.5)


def _name(sweep: Sweep) -> str:
    """Of the sweep's figure, fit for a file."""
    return f"ablation_{re.sub(r'[^A-Za-z0-9]+', '_', sweep.name)}"
