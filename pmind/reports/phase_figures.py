"""Figures of the phases: the kernel of a few settings, and crowding against the measured tax."""

import numpy as np
from matplotlib.axes import Axes

from pmind.reports.drawing import INK, QUIET, SERIES, Look, canvas, legend, panel, to_svg
from pmind.reports.phases import HEADLINE, Phases, Row
from pmind.reports.sections import Figure

SHADE = (0.24, 0.52, 0.86)  # readable on light and dark pages
STRONG = 4  # power of the kernel that gives the shade: only what looks much alike is strong
PLACEMENTS = {"interleaved": (SERIES[0], "o"), "low": (SERIES[1], "s"), "high": (SERIES[2], "D")}
PANEL_HEIGHT = 1.75
COLUMN_TICK = 16
CELL_PIXELS = 6
ROW_TICK = 5


def kernel_figure(phases: Phases) -> Figure | None:
    """A panel a setting: how alike a place so many branches and columns away looks."""
    if not phases.kernels:
        return None
    rows = -(-len(phases.kernels) // 2)
    figure = canvas(PANEL_HEIGHT * rows)
    for number, found in enumerate(phases.kernels, start=1):
        axes = panel(figure, f"{found['role']}\n{found['label']}", (rows, 2, number))
        axes.title.set_fontsize(8)
        _draw_kernel(axes, found)
        if number > 2 * (rows - 1):
            axes.set_xlabel("columns away", color=INK)
        if number % 2:
            axes.set_ylabel("branches away", color=INK)
    name = "phase_kernels"
    svg = to_svg(figure, name, "How alike places look, by branches and columns between them, for several settings")
    caption = (
        f"Kernel by branches and columns away from a place, its power of {STRONG} as shade: what is as dark as the "
        "middle of the lowest row looks like the same place."
    )
    return Figure(name, caption, svg)


def prediction_figure(phases: Phases, sweep: str) -> Figure | None:
    """A point a setting: crowding from phases alone against the tax that was measured."""
    rows = phases.of_sweep(sweep)
    if not rows:
        return None
    figure = canvas(3.9)
    axes = panel(figure, f"measured tax at {phases.conditions['branches']} branches, nats per token")
    for name, look in _looks(rows).items():
        _draw_points(axes, name, [row for row in rows if _kind(row) == name], look)
    axes.set_xlabel("predicted crowding, nats", color=INK)
    axes.set_ylim(bottom=0)
    legend(figure, axes, columns=2)
    name = f"phase_prediction_{sweep}"
    svg = to_svg(figure, name, "Measured parallel tax against the crowding predicted from phases, a point a setting")
    caption = f"Crowding told from phases alone against the tax, sweep `{sweep}`; bars reach from seed to seed."
    return Figure(name, caption, svg)


def _draw_kernel(axes: Axes, found: Row) -> None:
    kernel = np.array(found["kernel"])  # [N, columns]
    shade = np.empty((*kernel.shape, 4))
    shade[..., :3] = SHADE
    shade[..., 3] = np.clip(kernel, 0, 1) ** STRONG
    shade = shade.repeat(CELL_PIXELS, axis=0).repeat(CELL_PIXELS, axis=1)  # viewers that smooth keep the cells
    first, branches = found["first_column"], len(kernel)
    last = first + kernel.shape[1] - 1
    axes.imshow(
        shade,
        **{"origin": "lower", "aspect": "auto", "interpolation": "none"},
        extent=(first - 0.5, last + 0.5, -0.5, branches - 0.5),
    )
    axes.grid(visible=False)
    axes.set_xticks([column for column in range(first, last + 1) if column % COLUMN_TICK == 0])
    axes.set_yticks(range(0, branches, ROW_TICK))


def _kind(row: Row) -> str:
    return "no pair" if row["ratio"] == 0 else f"{row['placement']}, {row['encoding']}"


def _looks(rows: list[Row]) -> dict[str, Look]:
    """Colour and marker by placement, rings for ``offset``."""
    kinds = {_kind(row): row for row in rows}
    return {
        kind: Look(QUIET, "P")
        if row["ratio"] == 0
        else Look(*PLACEMENTS[row["placement"]], ring=row["encoding"] == "offset")
        for kind, row in sorted(kinds.items())
    }


def _draw_points(axes: Axes, name: str, rows: list[Row], look: Look) -> None:
    taxes = np.array([(row["tax"], row["tax_least"], row["tax_most"]) for row in rows])
    axes.errorbar(
        [row["scores"][HEADLINE] for row in rows],
        taxes[:, 0],
        yerr=[taxes[:, 0] - taxes[:, 1], taxes[:, 2] - taxes[:, 0]],
        **{"fmt": look.marker, "color": look.colour, "label": name, "linestyle": "none"},
        **{"markersize": 8 if look.ring else 5, "markeredgewidth": 1.4, "elinewidth": 1.0},
        markerfacecolor="none" if look.ring else look.colour,
    )
