"""The figure of what heads are worth."""

from collections.abc import Mapping
from typing import Any

from pmind.reports.attention_figures import head_name
from pmind.reports.drawing import QUIET, SERIES, canvas, legend, panel, to_svg
from pmind.reports.figures import LEGEND_ROW

MOST_HEADS = 24


def worth_figure(content: Mapping[str, Any]) -> str:
    """Change of exact match with each head off, the dearest first, beside an equal random disturbance."""
    rows = sorted(content["ablation"]["heads"], key=lambda row: row["em_change"])[:MOST_HEADS]
    names = [head_name(row) for row in rows]
    figure = canvas(0.9 + 0.22 * len(rows) + LEGEND_ROW)
    axes = panel(figure, "change of exact match with a head off, points")
    values = [100 * row["em_change"] for row in rows]
    ends = [
        [100 * (row["em_change"] - row["em_change_low"]) for row in rows],
        [100 * (row["em_change_high"] - row["em_change"]) for row in rows],
    ]
    axes.axvline(0, color=QUIET, linewidth=1, linestyle=":")
    axes.errorbar(values, names, xerr=ends, fmt="o", color=SERIES[0], markersize=4.5, elinewidth=1.4, label="off")
    random = [100 * row["random_em_change"] for row in rows]
    axes.plot(random, names, "s", color=SERIES[1], markersize=7, markerfacecolor="none", label="as much at random")
    axes.invert_yaxis()
    legend(figure, axes)
    return to_svg(figure, "attention_worth", "Change of exact match with a head switched off")
