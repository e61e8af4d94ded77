"""How the report draws: SVG that follows the reader's colour scheme.

matplotlib draws with stand-in colours; each is then replaced by a CSS variable, so one drawing
serves light and dark screens and paper. Inline, the page sets the variables; a figure saved
as a file brings :data:`STYLE` along.
"""

import io
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import NullLocator

LIGHT = (
    *("#1c2128", "#d5dae1"),
    *("#0b5cad", "#b3470a", "#1f7a45", "#7a3ea8", "#a81e52", "#0e7f94"),
    *("#8a6400", "#5d7f00", "#d2308c", "#4a55d6", "#7a5540", "#66717f"),
)
DARK = (
    *("#e4e8ee", "#39414d"),
    *("#6cb2ff", "#ff9f63", "#63cf8f", "#c79bf2", "#ff7896", "#4fd3e6"),
    *("#e8c04a", "#b3d94c", "#ff8fd6", "#7f7dff", "#d0a689", "#98a3b2"),
)
NAMES = ("--ink", "--grid", *(f"--series-{number}" for number in range(1, len(LIGHT) - 1)))
STAND_INS = tuple(f"#0102{number:02x}" for number in range(len(NAMES)))
INK, GRID, *SERIES = STAND_INS
QUIET = SERIES[-1]  # bounds and ideals
MARKERS = "osD^vP"
MARGIN = 0.06  # of an axis, above and below the lines
LEAST_TICKS = 2
LEAST_DIFFERENCE_SPAN = 0.05  # of an axis of differences, in its unit
LEAST_DIFFERENCE = 0.01  # below it a logarithmic axis would show noise
FEW_DWARF = 8  # times the median: then a linear axis hides what most values do
HANDLE, LEGEND_ROOM = 7, 64  # letters: of a line's sample, and of a row of a legend
WIDTH = 4.6  # inches; the page scales a drawing to its column

LIGHT_STYLE = "; ".join(f"{name}: {colour}" for name, colour in zip(NAMES, LIGHT, strict=True))
DARK_STYLE = "; ".join(f"{name}: {colour}" for name, colour in zip(NAMES, DARK, strict=True))
STYLE = f":root {{ {LIGHT_STYLE} }} @media (prefers-color-scheme: dark) {{ :root {{ {DARK_STYLE} }} }}"


@dataclass(frozen=True)
class Look:
    """How a line is told from others: colour, marker, stroke, and whether the marker is a ring."""

    colour: str
    marker: str = ""
    stroke: str = "-"
    ring: bool = False


METHOD_LOOKS = {  # a way of answering and its cached or columnar sister share the marker
    "parallel": Look(SERIES[0], "o"),
    "parallel_columnar": Look(SERIES[5], "o", "--", ring=True),
    "sequential": Look(SERIES[1], "s"),
    "sequential_cached": Look(SERIES[6], "s", "--", ring=True),
    "batch": Look(SERIES[2], "D"),
    "batch_cached": Look(SERIES[7], "D", "--", ring=True),
    "all_in_one": Look(SERIES[3], "^", "-."),
    "openvino": Look(SERIES[4], "v"),
    "vllm": Look(SERIES[8], "P"),
    "llamacpp": Look(SERIES[9], "X"),
    "server": Look(SERIES[10], "*", "-."),
    "no_attention": Look(QUIET, "", ":"),
}


def numbered_look(number: int) -> Look:
    """For lines that are no methods, by their place."""
    return Look(SERIES[number % (len(SERIES) - 1)], MARKERS[number % len(MARKERS)])


def method_look(method: str) -> Look:
    """The same for a method wherever it is drawn."""
    return METHOD_LOOKS.get(method, Look(SERIES[10], "h", "-."))


def canvas(height: float) -> Figure:
    """An empty drawing of the page's width, HEIGHT inches high."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.patch.set_visible(False)
    return figure


def panel(part: Figure | SubFigure, title: str, place: tuple[int, int, int] = (1, 1, 1)) -> Axes:
    """Axes with TITLE at a place (rows, columns, number) of a drawing."""
    part.patch.set_visible(False)
    axes = part.add_subplot(*place)
    axes.patch.set_visible(False)
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.tick_params(colors=INK, length=0)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    return axes


def branch_axis(axes: Axes, branches: Iterable[int], label: str = "branches") -> None:
    """Number of branches from left to right, each doubling as wide as the last."""
    counts = sorted(set(branches))
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel(label, color=INK)


def ratio_axis(axes: Axes, write: Callable[[float], str], base: int = 10) -> None:
    """A logarithmic axis upwards, after the lines are drawn: equal ratios are equally far apart."""
    low, high = axes.dataLim.intervaly
    margin = 1.02 * (high / low) ** MARGIN
    low, high = low / margin, high * margin
    while len(ticks := ratio_ticks(low, high, base)) < LEAST_TICKS:
        low, high = low / 1.2, high * 1.2
    axes.set_yscale("log", base=base)
    axes.set_ylim(low, high)
    axes.set_yticks(ticks, [write(tick) for tick in ticks])
    axes.yaxis.set_minor_locator(NullLocator())


def ratio_ticks(low: float, high: float, base: int = 10, most: int = 7) -> list[float]:
    """Round numbers from LOW to HIGH, at most MOST: 1, 2, 5, 10, … or powers of two.

    Example:
        >>> ratio_ticks(80, 3000), ratio_ticks(0.9, 40, base=2)
        ([100, 200, 500, 1000, 2000], [1, 2, 4, 8, 16, 32])
    """
    decades = range(math.floor(math.log(low, base)), math.ceil(math.log(high, base)) + 1)
    ladders = ((1, 2, 5), (1, 3), (1,)) if base == 10 else ((1,),)
    for ladder in ladders:
        ticks = [step * base**decade for decade in decades for step in ladder if low <= step * base**decade <= high]
        if len(ticks) <= most:
            return ticks
    return ticks[:: math.ceil(len(ticks) / most)]


def difference_axis(axes: Axes, values: Sequence[float]) -> None:
    """An axis upwards through zero; linear near it and logarithmic beyond if a few VALUES dwarf the others."""
    axes.axhline(0, color=QUIET, linewidth=1, linestyle=":")
    sizes = sorted(map(abs, values))
    usual = sizes[len(sizes) // 2]
    if not 0 < FEW_DWARF * usual < sizes[-1]:
        widen(axes, LEAST_DIFFERENCE_SPAN)
        return
    near = max(10.0 ** math.floor(math.log10(usual)), LEAST_DIFFERENCE)
    low, high = axes.dataLim.intervaly
    axes.set_yscale("symlog", linthresh=near, linscale=0.5)
    axes.set_ylim(min(1.3 * low, -near / 4), 1.3 * high)
    ticks = [0.0, *(sign * tick for sign in (1, -1) for tick in ratio_ticks(near, sizes[-1], most=5))]
    axes.set_yticks([tick for tick in sorted(ticks) if min(low, 0) <= tick <= high])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())


def widen(axes: Axes, least: float) -> None:
    """Make an axis upwards at LEAST so long, so that noise does not look like a trend."""
    low, high = axes.get_ylim()
    slack = max(least - (high - low), 0) / 2
    axes.set_ylim(low - slack, high + slack)


def band(axes: Axes, limits: Mapping[float, tuple[float, float]], look: Look) -> None:
    """Shade from the lower to the upper limit at each place on the horizontal axis."""
    lows, highs = zip(*limits.values(), strict=True) if limits else ((), ())
    axes.fill_between(list(limits), lows, highs, color=look.colour, alpha=0.14, linewidth=0)


def draw(axes: Axes, name: str, line: Mapping[float, float], look: Look) -> None:
    """Draw LINE, a value for each place on the horizontal axis."""
    axes.plot(
        *(list(line), list(line.values()), look.stroke),
        **{"color": look.colour, "marker": look.marker, "label": name},
        linewidth=1.8,
        markersize=8 if look.ring else 5,
        markerfacecolor="none" if look.ring else look.colour,
        markeredgewidth=1.4 if look.ring else 0.5,
    )


def legend(part: Figure | SubFigure, axes: Axes, columns: int = 3) -> None:
    """Name the lines of AXES below PART."""
    handles, names = axes.get_legend_handles_labels()
    part.legend(
        *(handles, names),
        loc="outside lower center",
        **{"ncols": min(columns, len(names)), "frameon": False, "labelcolor": INK, "fontsize": 9},
        handlelength=2.2,
        columnspacing=1.0,
    )


def legend_columns(names: Collection[str]) -> int:
    """As many columns as have room side by side, at most three; the first ones hold one name more.

    Example:
        >>> legend_columns(["0.25", "0.5", "0.75"]), legend_columns(["a name of more than thirty letters"] * 2)
        (3, 1)
    """
    for columns in (3, 2):
        parts = np.array_split([len(name) + HANDLE for name in names], columns)
        if sum(part.max() for part in parts if part.size) <= LEGEND_ROOM:
            return columns
    return 1


def to_svg(figure: Figure, name: str, description: str) -> str:
    """The drawing as an element of a page."""
    drawing = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):  # text stays text, ids stay put
        figure.savefig(drawing, format="svg", metadata={"Date": None, "Creator": None})
    svg = drawing.getvalue()
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]  # without XML declaration, document type and fixed size
    box = re.search(r'viewBox="[^"]+"', svg)[0]
    xmlns = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg role="img" aria-label="{description}" {box} {xmlns}>{_restyle(body).strip()}'


def standalone(svg: str) -> str:
    """SVG as a file of its own, colours included."""
    end = svg.index(">") + 1
    return f"{svg[:end]}<style>{STYLE}</style>{svg[end:]}\n"


def _restyle(svg: str) -> str:
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]+"', "<g", svg)  # two figures on a page would repeat them
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", svg)
    for stand_in, variable, colour in zip(STAND_INS, NAMES, LIGHT, strict=True):
        svg = svg.replace(stand_in, f"var({variable}, {colour})")
    return svg
