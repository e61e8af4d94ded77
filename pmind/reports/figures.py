"""The report's figures as SVG that follows the reader's colour scheme.

matplotlib draws with stand-in colours; each is then replaced by a CSS variable, so one drawing
serves light and dark screens and paper. Inline, the page sets the variables; a figure saved
as a file brings :data:`STYLE` along.
"""

import io
import re
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from pmind.reports.metrics import Metrics
from pmind.reports.plots import loss_rows, throughput_rows

Line = Mapping[int, float]  # branches -> value

LIGHT = ("#1c2128", "#d5dae1", "#0b5cad", "#b3470a", "#5b6675", "#7a3ea8", "#1f7a45", "#a81e52")
DARK = ("#e4e8ee", "#39414d", "#6cb2ff", "#ff9f63", "#a9b3c1", "#c79bf2", "#63cf8f", "#ff86b0")
NAMES = ("--ink", "--grid", *(f"--series-{number}" for number in range(1, len(LIGHT) - 1)))
STAND_INS = tuple(f"#0102{number:02x}" for number in range(len(NAMES)))
INK, GRID, *SERIES = STAND_INS
MARKERS = "osD^vP"
LEAST_LOSS_SPAN = 0.1  # nats; a narrower axis would make noise look like a trend

LIGHT_STYLE = "; ".join(f"{name}: {colour}" for name, colour in zip(NAMES, LIGHT, strict=True))
DARK_STYLE = "; ".join(f"{name}: {colour}" for name, colour in zip(NAMES, DARK, strict=True))
STYLE = f":root {{ {LIGHT_STYLE} }} @media (prefers-color-scheme: dark) {{ :root {{ {DARK_STYLE} }} }}"


def throughput_figure(metrics: Metrics) -> str | None:
    """Tokens per second against branches, a line a method; ``None`` without a benchmark."""
    rows = throughput_rows(metrics)
    methods = list(dict.fromkeys(name for row in rows for name in row if name != "branches"))
    lines = {name: {row["branches"]: row[name] for row in rows if name in row} for name in methods}
    if not lines:
        return None
    figure, axes = _axes("tokens per second", sorted(row["branches"] for row in rows))
    _draw(axes, lines)
    axes.set_ylim(bottom=0)
    return _svg(figure, "throughput", f"Tokens per second against branches for {', '.join(lines)}")


def loss_figure(metrics: Metrics, kept: Mapping[str, Metrics]) -> str | None:
    """Validation loss against branches, with that of KEPT runs beside it; ``None`` without losses."""
    lines = {"this run": _losses(metrics)}
    lines |= {name: _losses(other) for name, other in kept.items() if _losses(other)}
    if not lines["this run"]:
        return None
    figure, axes = _axes("validation loss, nats per token", sorted(lines["this run"]))
    _draw(axes, lines)
    low, high = axes.get_ylim()
    slack = max(LEAST_LOSS_SPAN - (high - low), 0) / 2
    axes.set_ylim(low - slack, high + slack)
    return _svg(figure, "loss", "Validation loss in nats per token against branches")


def standalone(svg: str) -> str:
    """SVG as a file of its own, colours included."""
    end = svg.index(">") + 1
    return f"{svg[:end]}<style>{STYLE}</style>{svg[end:]}\n"


def _losses(metrics: Metrics) -> Line:
    return {row["branches"]: row["loss"] for row in loss_rows(metrics)}


def _axes(label: str, branches: Sequence[int]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(4.6, 3.1), layout="constrained")
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    axes.patch.set_visible(False)
    axes.set_xscale("log", base=2)
    axes.set_xticks(branches, [str(count) for count in branches])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("branches", color=INK)
    axes.set_title(label, loc="left", fontsize=10, color=INK)
    axes.tick_params(colors=INK, length=0)
    axes.grid(color=GRID, linewidth=0.8)
    axes.spines[:].set_visible(False)
    return figure, axes


def _draw(axes: Axes, lines: Mapping[str, Line]) -> None:
    for number, (name, line) in enumerate(lines.items()):
        colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
        axes.plot(list(line), list(line.values()), color=colour, marker=marker, linewidth=2, markersize=6, label=name)
    if len(lines) > 1:
        axes.legend(frameon=False, labelcolor=INK)


def _svg(figure: Figure, name: str, description: str) -> str:
    drawing = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):  # text stays text, ids stay put
        figure.savefig(drawing, format="svg", metadata={"Date": None, "Creator": None})
    svg = drawing.getvalue()
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]  # without XML declaration, document type and fixed size
    box = re.search(r'viewBox="[^"]+"', svg)[0]
    xmlns = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg role="img" aria-label="{description}" {box} {xmlns}>{_restyle(body).strip()}'


def _restyle(svg: str) -> str:
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]+"', "<g", svg)  # two figures on a page would repeat them
    svg = re.sub(r"'DejaVu Sans'[^;\"]*", "system-ui, sans-serif", svg)
    for stand_in, variable, colour in zip(STAND_INS, NAMES, LIGHT, strict=True):
        svg = svg.replace(stand_in, f"var({variable}, {colour})")
    return svg
