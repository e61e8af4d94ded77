"""A group's layout as text, and its columns and mask as a picture."""

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pmind.geometry import ANSWER, CONTEXT, PROMPT, Layout
from pmind.visibility import Visibility, dense_mask

LETTERS = {CONTEXT: "c", PROMPT: "q", ANSWER: "a"}
COLOURS = {CONTEXT: "#5b7fa6", PROMPT: "#d98c3f", ANSWER: "#5a9e6f"}
NAMES = {CONTEXT: "context", PROMPT: "prompt", ANSWER: "answer"}


def layout_text(layout: Layout) -> str:
    """One line a branch, one field a column.

    Example:
        >>> from pmind.geometry import build_layout
        >>> print(layout_text(build_layout([0, 0], [[1, 1], [1]], [[2], [2]], alignment="right")))
        column    0  1  2  3  4
        context   c  c  .  .  .
        branch 1  .  .  q  q  a
        branch 2  .  .  .  q  a
    """
    columns = int(layout.column.max()) + 1
    width = len(str(columns - 1)) + 2
    names = _row_names(layout)
    margin = max(len(name) for name in names.values())
    lines = ["column".ljust(margin) + "".join(str(column).rjust(width) for column in range(columns))]
    for branch, name in names.items():
        own = layout.branch == branch
        letters = dict(zip(layout.column[own].tolist(), layout.roles[own].tolist(), strict=True))
        fields = (LETTERS.get(letters.get(column), ".").rjust(width) for column in range(columns))
        lines.append(name.ljust(margin) + "".join(fields))
    return "\n".join(lines)


def mask_text(layout: Layout, rule: Visibility) -> str:
    """One line a token (branch.column), ``x`` where it may read the token of that column of the picture."""
    mask = dense_mask(rule, layout.coords[None], layout.coords[None])[0].tolist()
    labels = [f"{branch}.{column}" for branch, column in layout.coords.tolist()]
    width = max(len(label) for label in labels)
    return "\n".join(
        f"{label.ljust(width)}  {' '.join('x' if seen else '.' for seen in row)}"
        for label, row in zip(labels, mask, strict=True)
    )


def draw_layout(layout: Layout, rule: Visibility, title: str, path: Path) -> None:
    """Save columns and mask side by side; the ending of PATH says the format (.png, .svg, .pdf)."""
    matplotlib.use("agg")
    tokens, columns, branches = len(layout.token_ids), int(layout.column.max()) + 1, int(layout.branch.max()) + 1
    figure = Figure(
        figsize=(min(4 + columns * 0.25 + tokens * 0.2, 24), min(2 + tokens * 0.2, 14)), layout="constrained"
    )
    left, right = figure.subplots(1, 2, width_ratios=[max(columns, 8), max(tokens, 8)])
    figure.suptitle(title)
    _draw_columns(left, layout, columns, branches)
    _draw_mask(right, layout, rule)
    figure.savefig(path, dpi=150)


def _row_names(layout: Layout) -> dict[int, str]:
    branches = sorted(set(layout.branch.tolist()))
    return {branch: "context" if branch == 0 else f"branch {branch}" for branch in branches}


def _draw_columns(axes: Axes, layout: Layout, columns: int, branches: int) -> None:
    for role, colour in COLOURS.items():
        chosen = layout.roles == role
        axes.scatter(
            layout.column[chosen].numpy(),
            layout.branch[chosen].numpy(),
            marker="s",
            s=90,
            color=colour,
            label=NAMES[role],
        )
    axes.set(xlabel="column", ylabel="branch", title="columns", xlim=(-0.7, columns - 0.3), ylim=(branches - 0.4, -0.6))
    axes.set_yticks(range(branches))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3, frameon=False)


def _draw_mask(axes: Axes, layout: Layout, rule: Visibility) -> None:
    mask = dense_mask(rule, layout.coords[None], layout.coords[None])[0]
    axes.imshow(mask.numpy(), cmap="Blues", vmin=0, vmax=1.4, interpolation="nearest")
    labels = [f"{branch}.{column}" for branch, column in layout.coords.tolist()]
    step = max(1, len(labels) // 40)
    places = range(0, len(labels), step)
    axes.set_xticks(places, labels[::step], rotation=90, fontsize=6)
    axes.set_yticks(places, labels[::step], fontsize=6)
    axes.set(xlabel="may be read (branch.column)", ylabel="reads", title="mask: blue = visible")
