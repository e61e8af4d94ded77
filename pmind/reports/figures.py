"""The report's figures; each is ``None`` without the numbers that it shows."""

from collections.abc import Callable, Mapping

from matplotlib.axes import Axes

from pmind.reports import formats
from pmind.reports.drawing import (
    INK,
    QUIET,
    SERIES,
    Look,
    branch_axis,
    canvas,
    draw,
    legend,
    method_look,
    numbered_look,
    panel,
    ratio_axis,
    to_svg,
    widen,
)
from pmind.reports.load_tables import PERCENTILES, load_rates
from pmind.reports.metrics import Metrics
from pmind.reports.timings import BOUND, OURS, lines, speedups

LEAST_LOSS_SPAN = 0.1  # nats; a narrower axis would make noise look like a trend
POSITION_BRANCHES = (1, 4, 16, 64)
LEGEND_ROW = 0.2  # inches

Lines = Mapping[str, Mapping[float, float]]


def throughput_figure(metrics: Metrics) -> str | None:
    """Tokens per second against branches, a line a method, the bound dotted."""
    rates = lines(metrics.timings(), "tokens_per_s")
    if not rates:
        return None
    figure = canvas(3.3 + _legend_height(rates))
    axes = panel(figure, "tokens per second")
    _methods(axes, rates)
    ratio_axis(axes, lambda rate: f"{rate:,g}")
    legend(figure, axes)
    return to_svg(figure, "throughput", "Tokens per second against branches")


def speedup_figure(metrics: Metrics) -> str | None:
    """How many times parallel's rate is each other's, against branches, beside the ideal."""
    gains = speedups(metrics.timings())
    if not gains:
        return None
    figure = canvas(3.3 + _legend_height(gains))
    axes = panel(figure, "tokens per second of parallel ÷ those of")
    _methods(axes, gains)
    branches = sorted({count for line in gains.values() for count in line})
    draw(axes, "ideal", {count: count for count in branches}, Look(QUIET, "", ":"))
    ratio_axis(axes, lambda gain: f"{gain:g} ×", base=2)
    legend(figure, axes)
    return to_svg(figure, "speedup", "Speed-up of parallel over other ways of answering, against branches")


def memory_figure(metrics: Metrics) -> str | None:
    """Peak memory, and keys and values, against branches."""
    timings = metrics.timings()
    sizes = {
        "peak memory beyond the model": lines(timings, "peak_memory_bytes"),
        "keys and values": lines(timings, "kv_bytes"),
    }
    return _method_panels({title: _answering(found) for title, found in sizes.items()}, "memory", _size, base=2)


def latency_figure(metrics: Metrics) -> str | None:
    """Time to the first token and to the last answer, against branches."""
    timings = metrics.timings()
    found = {"time to the last answer": lines(timings, "total_s"), "time to the first token": lines(timings, "ttft_s")}
    return _method_panels({title: _answering(line) for title, line in found.items()}, "latency", _seconds)


def phases_figure(metrics: Metrics) -> str | None:
    """Reading and writing time of every method, one above the other, at the most branches."""
    timings = metrics.timings()
    totals = _answering(lines(timings, "total_s"))
    most = max((count for line in totals.values() for count in line), default=0)
    rows = {method: timings[method, most] for method in totals if "prefill_s" in timings.get((method, most), {})}
    if not rows:
        return None
    figure = canvas(1.1 + 0.3 * len(rows))
    axes = panel(figure, f"seconds at {most} branches" if most > 1 else "seconds at one branch")
    reading = [row["prefill_s"] for row in rows.values()]
    writing = [row["total_s"] - row["prefill_s"] for row in rows.values()]
    axes.barh(list(rows), reading, color=SERIES[0], height=0.62, label="reading context and prompts")
    bars = axes.barh(list(rows), writing, left=reading, color=SERIES[1], height=0.62, label="writing answers")
    axes.bar_label(bars, [_seconds(row["total_s"]) for row in rows.values()], padding=4, color=INK, fontsize=8.5)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.16)
    legend(figure, axes)
    return to_svg(figure, "phases", f"Seconds of reading and writing at {most} branches, by method")


def load_figure(metrics: Metrics) -> str | None:
    """Latency and queue time, then questions answered in time, against the rate of arrival."""
    rates = load_rates(metrics)
    if not rates:
        return None
    figure = canvas(6.2)
    above, below = figure.subfigures(2, 1, height_ratios=(1.12, 1))
    axes = panel(above, "seconds")
    deadline = metrics.number("load", "load.deadline_s")
    for percentile, marker in zip(PERCENTILES, "os^", strict=True):
        for kind, colour, stroke in (("latency", SERIES[0], "-"), ("queue", SERIES[1], "--")):
            line = _at_rates(rates, f"{kind}_p{percentile}_s")
            draw(axes, f"{kind} p{percentile}", line, Look(colour, marker, stroke))
        if deadline is not None and percentile == PERCENTILES[0]:  # ends the legend's first column
            draw(axes, "deadline", dict.fromkeys(rates, deadline), Look(QUIET, "", ":"))
    _rate_axis(axes, rates)
    legend(above, axes)
    axes = panel(below, "questions per second")
    draw(axes, "arriving", _at_rates(rates, "arriving"), Look(QUIET, "", ":"))
    draw(axes, "answered", _at_rates(rates, "questions_per_s"), numbered_look(3))
    draw(axes, "answered in time", _at_rates(rates, "goodput_questions_per_s"), numbered_look(2))
    _rate_axis(axes, rates)
    legend(below, axes)
    return to_svg(figure, "load", "Latency, queue time and questions answered in time, against the rate of arrival")


def loss_figure(metrics: Metrics, kept: Mapping[str, Metrics]) -> str | None:
    """Validation loss against branches, with that of KEPT runs beside it."""
    found = {"this run": metrics.losses()}
    found |= {name: other.losses() for name, other in kept.items() if other.losses()}
    if not found["this run"]:
        return None
    figure = canvas(3.1 + _legend_height(found))
    axes = panel(figure, "validation loss, nats per token")
    for number, (name, line) in enumerate(found.items()):
        draw(axes, name, line, numbered_look(number))
    branch_axis(axes, found["this run"])
    widen(axes, LEAST_LOSS_SPAN)
    if len(found) > 1:
        legend(figure, axes)
    return to_svg(figure, "loss", "Validation loss in nats per token against branches")


def position_loss_figure(metrics: Metrics) -> str | None:
    """Validation loss against the position in a branch, a line a number of branches."""
    found = metrics.position_losses()
    shown = [count for count in POSITION_BRANCHES if any(count in line for line in found.values())]
    if len(found) < 2 or not shown:
        return None
    figure = canvas(3.1 + LEGEND_ROW)
    axes = panel(figure, "validation loss, nats per token, by branches")
    for number, count in enumerate(shown):
        line = {place: losses[count] for place, losses in enumerate(found.values()) if count in losses}
        draw(axes, str(count), line, numbered_look(number))
    axes.set_xticks(range(len(found)), list(map(str, found)))
    axes.set_xlabel("position of the token in its branch", color=INK)
    widen(axes, LEAST_LOSS_SPAN)
    legend(figure, axes, columns=len(shown))
    return to_svg(figure, "loss_positions", "Validation loss in nats per token against position in the branch")


def _method_panels(panels: Mapping[str, Lines], name: str, write: Callable[[float], str], base: int = 10) -> str | None:
    """One panel above the other, with one legend for all."""
    shown = {title: found for title, found in panels.items() if found}
    if not shown:
        return None
    longest = max(shown.values(), key=len)
    figure = canvas(2.8 * len(shown) + _legend_height(longest))
    figure.get_layout_engine().set(h_pad=0.08)
    for number, (title, found) in enumerate(shown.items(), start=1):
        axes = panel(figure, title, (len(shown), 1, number))
        _methods(axes, found, label="branches" if number == len(shown) else "")
        ratio_axis(axes, write, base)
        if found is longest:
            named = axes
    legend(figure, named)
    return to_svg(figure, name, f"{', '.join(shown)}, against branches".capitalize())


def _methods(axes: Axes, found: Lines, label: str = "branches") -> None:
    """A line a method; parallel last, so that it lies on top."""
    for method, line in found.items():
        draw(axes, method, line, method_look(method))
        if method == OURS:
            axes.lines[-1].set_zorder(2.5)
    branch_axis(axes, (count for line in found.values() for count in line), label)


def _answering(found: Lines) -> Lines:
    """What a logarithmic axis can show of the ways of answering."""
    positive = {method: {count: value for count, value in line.items() if value > 0} for method, line in found.items()}
    return {method: line for method, line in positive.items() if line and method != BOUND}


def _at_rates(rates: Mapping[int, Mapping[str, float]], measure: str) -> dict[int, float]:
    return {percent: measures[measure] for percent, measures in rates.items() if measure in measures}


def _rate_axis(axes: Axes, rates: Mapping[int, Mapping[str, float]]) -> None:
    axes.set_xticks(list(rates), [f"{percent}%" for percent in rates])
    axes.set_xlabel("rate of arrival, as a share of capacity", color=INK)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,g}")


def _legend_height(found: Lines) -> float:
    return LEGEND_ROW * -(-len(found) // 3)


def _seconds(value: float) -> str:
    return _without_zeros(formats.seconds(value))


def _size(value: float) -> str:
    return _without_zeros(formats.size(value))


def _without_zeros(text: str) -> str:
    """``1.00 s`` as ``1 s``."""
    number, unit = text.split()
    return f"{float(number.replace(',', '')):g} {unit}"
