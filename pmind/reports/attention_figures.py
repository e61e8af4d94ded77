"""Figures of what heads read, from the content that ``stages/analyze.py`` wrote and nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pmind.reports.drawing import (
    GRID,
    INK,
    QUIET,
    SERIES,
    canvas,
    draw,
    legend,
    numbered_look,
    panel,
    to_svg,
)
from pmind.reports.figures import LEGEND_ROW
from pmind.reports.heat import heat, parse_rows

MOST_BARS = 24  # heads; of more, layers are shown
MOST_MAPS = 16  # heads whose offset maps are shown
ACROSS = 4  # maps side by side
EXAMPLE_ACROSS, MOST_LAYERS = 3, 6
OFFSET_NAMES = {"context": "context", -4: "−4", 0: "own", 4: "+4"}
TITLES = {
    "context": "context",
    "self": "itself",
    "own": "own branch before",
    "siblings": "siblings before",
    "same_place": "siblings, same place",
}

Row = Mapping[str, Any]


def roles_figure(content: Mapping[str, Any]) -> str:
    """Shares by role as bars, a bar a head; a bar a layer where heads are many."""
    shown = content["heads"] if len(content["heads"]) <= MOST_BARS else content["layers"]
    bars = {"even reader": content["even"], **{head_name(row): row["shares"] for row in shown}}
    figure = canvas(0.7 + 0.2 * len(bars) + 2 * LEGEND_ROW)
    axes = panel(figure, "attention of the tokens that answer, %")
    left = np.zeros(len(bars))
    for role, colour in zip(content["roles"], SERIES, strict=False):
        widths = 100 * np.array([shares[role] for shares in bars.values()])
        axes.barh(list(bars), widths, left=left, height=0.72, color=colour, label=TITLES[role], linewidth=0)
        left += widths
    axes.set_xlim(0, 100)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    legend(figure, axes)
    return to_svg(figure, "attention_roles", "Share of attention by role, a bar a head")


def layers_figure(content: Mapping[str, Any]) -> str | None:
    """Shares and selectivity, layer by layer; nothing of a single layer."""
    layers = content["layers"]
    if len(layers) < 2:
        return None
    figure = canvas(5.4 + 3 * LEGEND_ROW)
    shares = panel(figure, "share of attention, %, mean over heads", (2, 1, 1))
    scores = panel(figure, "selectivity and retrieval, mean over heads", (2, 1, 2))
    for number, role in enumerate(content["roles"]):
        line = {row["layer"]: 100 * row["shares"][role] for row in layers}
        draw(shares, TITLES[role], line, numbered_look(number))
    for number, (name, title) in enumerate(
        (("time", "by column"), ("branch", "by branch"), ("retrieval", "retrieval"))
    ):
        look = numbered_look(len(content["roles"]) + number)
        draw(scores, title, {row["layer"]: row[name] for row in layers}, look)
    for axes in (shares, scores):
        axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False, labelcolor=INK, fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    scores.set_xlabel("layer", color=INK)
    return to_svg(figure, "attention_layers", "Attention layer by layer")


def offsets_figure(content: Mapping[str, Any]) -> str:
    """Attention by columns back and branch offset, a map a head; of many heads those that read siblings most."""
    offsets = content["offsets"]
    maps = _most_social(content, offsets["maps"])
    rows = -(-len(maps) // ACROSS)
    figure = canvas(0.3 + 1.5 * rows)
    for number, found in enumerate(maps):
        axes = panel(figure, head_name(found), (rows, ACROSS, number + 1))
        axes.set_title(head_name(found), loc="left", fontsize=8, color=INK)
        heat(axes, parse_rows(found["cells"]))
        _offset_axes(axes, offsets, left=number % ACROSS == 0, below=number // ACROSS == rows - 1)
    return to_svg(figure, "attention_offsets", "Attention by columns back and branch offset, a map a head")


def example_figure(example: Mapping[str, Any]) -> str:
    """A whole group's attention, a map a layer, with the branches' boundaries."""
    return to_svg(
        map_figure(example, spread(example["maps"], MOST_LAYERS)), "attention_example", "Attention of a group"
    )


def map_figure(example: Mapping[str, Any], maps: Sequence[Row]) -> Figure:
    """Whole maps side by side: rows read columns, lines part the branches.

    Args:
        example: cells of :func:`pmind.analysis.group_map.map_group`.
        maps: those of it that are drawn.
    """
    across = min(ACROSS if len(maps) % ACROSS == 0 else EXAMPLE_ACROSS, len(maps))
    rows = -(-len(maps) // across)
    figure = canvas(0.35 + rows * (4.6 / across + 0.25))
    for number, found in enumerate(maps):
        axes = panel(figure, "", (rows, across, number + 1))
        axes.set_title(head_name(found), loc="left", fontsize=8, color=INK)
        heat(axes, parse_rows(found["cells"]))
        _branch_lines(axes, example["branch"])
    return figure


def head_name(row: Row) -> str:
    """As in tables: layer, then head, both from 1.

    Example:
        >>> head_name({"layer": 1, "head": 3}), head_name({"layer": 2})
        ('1.3', 'layer 2')
    """
    return f"{row['layer']}.{row['head']}" if "head" in row else f"layer {row['layer']}"


def spread(rows: Sequence[Row], most: int) -> list[Row]:
    """At most MOST of ROWS, evenly spaced, the first and the last among them.

    Example:
        >>> spread([0, 1, 2, 3, 4], 3)
        [0, 2, 4]
    """
    if len(rows) <= most:
        return list(rows)
    return [rows[round(place * (len(rows) - 1) / (most - 1))] for place in range(most)]


def _most_social(content: Mapping[str, Any], maps: Sequence[Row]) -> list[Row]:
    """All maps, or those of the heads that spend most on siblings, in the model's order."""
    shares = [row["shares"]["siblings"] + row["shares"]["same_place"] for row in content["heads"]]
    kept = sorted(range(len(maps)), key=lambda number: -shares[number])[:MOST_MAPS]
    return [maps[number] for number in sorted(kept)]


def _offset_axes(axes: Axes, offsets: Mapping[str, Any], *, left: bool, below: bool) -> None:
    columns, branches = offsets["columns"], offsets["branches"]
    axes.grid(visible=False)
    axes.axhline(0.5, color=GRID, linewidth=0.8)
    shown = range(0, len(columns), 4)
    axes.set_xticks(list(shown), [str(columns[place]) for place in shown] if below else [], fontsize=7)
    named = {branches.index(offset): name for offset, name in OFFSET_NAMES.items() if offset in branches}
    axes.set_yticks(list(named), list(named.values()) if left else [], fontsize=7)
    if below:
        axes.set_xlabel("columns back", color=INK, fontsize=8)


def _branch_lines(axes: Axes, branches: Sequence[int]) -> None:
    axes.grid(visible=False)
    starts = [place for place in range(len(branches)) if place == 0 or branches[place] != branches[place - 1]]
    for start in starts[1:]:
        axes.axhline(start - 0.5, color=QUIET, linewidth=0.5)
        axes.axvline(start - 0.5, color=QUIET, linewidth=0.5)
    ends = [*starts[1:], len(branches)]
    middles = [(start + end - 1) / 2 for start, end in zip(starts, ends, strict=True)]
    names = ["c" if branches[start] == 0 else str(branches[start]) for start in starts]
    axes.set_xticks(middles, names, fontsize=7)
    axes.set_yticks(middles, names, fontsize=7)
