"""The questions of a group and what they need, round by round: as text and as a picture."""

import textwrap
import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path as Curve

from pmind.dependencies.edges import Dependencies, Edge
from pmind.dependencies.placing import Item, Spot, place, route
from pmind.errors import DataError

INK, LINE, BOX = "#1c2128", "#5b7fa6", "#eef3f9"
COLOURS = ("#0b5cad", "#b3470a", "#1f7a45", "#7a3ea8", "#a81e52")  # of arrows, by their target
WIDTH, BETWEEN, GAP, EDGE = 2.6, 1.5, 0.3, 0.3  # inches: a box, between rounds, between boxes, around all
PADDING, LINE_HEIGHT, ARRIVALS = 0.12, 0.17, 0.2  # inches: in a box, a line of text, between two arrow heads
LETTERS, LINES, FONT_SIZE = 34, 6, 9  # of a question in its box
HAN_FONTS = (  # matplotlib's own has no Han characters
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Micro Hei"),
    *("WenQuanYi Zen Hei", "Droid Sans Fallback", "Microsoft YaHei", "SimHei", "PingFang SC", "Heiti TC"),
    "Arial Unicode MS",
)


def dependencies_text(questions: Sequence[str], dependencies: Dependencies) -> str:
    """Rounds one below the other, every question with what it needs.

    Example:
        >>> chosen = Dependencies(2, (Edge(0, 1, 0.85, '"that person" points back'),))
        >>> print(dependencies_text(["Who wrote Faust?", "Where was that person born?"], chosen))
        round 1
          1. Who wrote Faust?
        round 2
          2. Where was that person born?
             <- 1  0.85  "that person" points back
    """
    width = len(str(len(questions))) + 2
    lines = []
    for number, layer in enumerate(dependencies.layers(), start=1):
        lines.append(f"round {number}")
        for question in layer:
            lines.append(f"{question + 1:>{width}}. {' '.join(questions[question].split())}")
            needed = [edge for edge in dependencies.edges if edge.target == question]
            lines += [f"{'':{width}}  <- {edge.source + 1}  {edge.confidence:.2f}  {edge.reason}" for edge in needed]
    return "\n".join(lines)


def draw_dependencies(questions: Sequence[str], dependencies: Dependencies, path: Path) -> None:
    """Save rounds from left to right, an arrow with its confidence for every edge.

    Args:
        questions: their texts; what does not fit into a box is cut off.
        dependencies: between them.
        path: its ending says the format (.png, .svg, .pdf).

    Raises:
        DataError: no font here has the characters of a question; an .svg leaves them to its reader's.
        OSError: PATH cannot be written.
        ValueError: matplotlib knows no such format.
    """
    matplotlib.use("agg")
    boxes = [_wrapped(number, text) for number, text in enumerate(questions, start=1)]
    fonts = _fonts("".join(boxes))
    if path.suffix != ".svg":
        _check_characters("".join(boxes), fonts)
    with matplotlib.rc_context({"font.family": fonts, "svg.fonttype": "none"}):
        spots = place(dependencies, [_height(box) for box in boxes], GAP)
        axes = _canvas(spots, boxes, dependencies.depth)
        for edge, arrival in zip(dependencies.edges, _arrivals(dependencies, spots), strict=True):
            _draw_edge(axes, edge, spots, arrival)
        for question, box in enumerate(boxes):
            _draw_box(axes, box, spots[question])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # in an .svg, whose reader has other fonts
            axes.figure.savefig(path, dpi=150)


def _canvas(spots: Mapping[Item, Spot], boxes: Sequence[str], rounds: int) -> Axes:
    """Axes in inches around all boxes, with the rounds named above."""
    reach = max((abs(spots[question].y) + _height(box) / 2 for question, box in enumerate(boxes)), default=0)
    left, right = -EDGE, max(rounds - 1, 0) * (WIDTH + BETWEEN) + WIDTH + EDGE
    bottom, top = -reach - EDGE, reach + 2 * EDGE
    axes = Figure(figsize=(right - left, top - bottom)).add_axes((0, 0, 1, 1))
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_axis_off()
    for number in range(rounds):
        axes.text(_left(number) + WIDTH / 2, reach + EDGE, f"round {number + 1}", ha="center", va="center", color=LINE)
    return axes


def _draw_box(axes: Axes, box: str, spot: Spot) -> None:
    left, height = _left(spot.round), _height(box)
    axes.add_patch(
        FancyBboxPatch(
            (left + PADDING, spot.y - height / 2 + PADDING),
            *(WIDTH - 2 * PADDING, height - 2 * PADDING, f"round,pad={PADDING}"),
            **{"facecolor": BOX, "edgecolor": LINE, "zorder": 2},
        )
    )
    axes.text(left + PADDING, spot.y, box, va="center", fontsize=FONT_SIZE, color=INK, zorder=3, linespacing=1.15)


def _draw_edge(axes: Axes, edge: Edge, spots: Mapping[Item, Spot], arrival: float) -> None:
    """A curve from the right of the source through its lanes to the left of the target, where ARRIVAL is its height."""
    passed = [spots[item] for item in route(edge, spots)]
    points = [(_left(passed[0].round) + WIDTH, passed[0].y)]
    for lane in passed[1:-1]:
        points += [(_left(lane.round), lane.y), (_left(lane.round) + WIDTH, lane.y)]
    points.append((_left(passed[-1].round), arrival))
    colour = COLOURS[edge.target % len(COLOURS)]
    axes.add_patch(FancyArrowPatch(path=_curve(points), arrowstyle="-|>", mutation_scale=11, color=colour, zorder=1))
    (x, y), (to_x, to_y) = points[-2:]
    axes.text(
        *(x + 0.69 * (to_x - x), y + 0.84 * (to_y - y), f"{edge.confidence:.2f}"),  # the curve at three quarters
        **{"ha": "center", "va": "center", "fontsize": FONT_SIZE - 1.5, "color": colour, "zorder": 4},
        bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none"},
    )


def _curve(points: Sequence[tuple[float, float]]) -> Curve:
    """Through all points, level at each of them."""
    vertices, codes = [points[0]], [Curve.MOVETO]
    for (x, y), (to_x, to_y) in pairwise(points):
        vertices += [((x + to_x) / 2, y), ((x + to_x) / 2, to_y), (to_x, to_y)]
        codes += [Curve.CURVE4] * 3
    return Curve(vertices, codes)


def _arrivals(dependencies: Dependencies, spots: Mapping[Item, Spot]) -> Iterator[float]:
    """Heights at which the edges end: side by side, in the order in which they come."""
    for edge in dependencies.edges:
        others = [other for other in dependencies.edges if other.target == edge.target]
        others.sort(key=lambda other: -spots[route(other, spots)[-2]].y)
        yield spots[edge.target].y + ARRIVALS * ((len(others) - 1) / 2 - others.index(edge))


def _left(number: int) -> float:
    return number * (WIDTH + BETWEEN)


def _height(box: str) -> float:
    return LINE_HEIGHT * (box.count("\n") + 1) + 2 * PADDING


def _wrapped(number: int, text: str) -> str:
    """A question in lines; Han characters are twice as wide as letters."""
    wide = sum(ord(character) >= 0x2E80 for character in text)
    letters = round(LETTERS * len(text) / (len(text) + wide)) if text else LETTERS
    return "\n".join(textwrap.wrap(f"{number}. {text}", letters, max_lines=LINES, placeholder=" …"))


def _fonts(text: str) -> list[str]:
    """matplotlib's own font, and what there is for Han characters if TEXT needs more."""
    installed = {font.name for font in fontManager.ttflist}
    more = [] if text.isascii() else [name for name in HAN_FONTS if name in installed]
    return [*matplotlib.rcParamsDefault["font.sans-serif"][:1], *more]


def _check_characters(text: str, fonts: Sequence[str]) -> None:
    known = {code for name in fonts for code in FT2Font(findfont(name)).get_charmap()}
    missing = sorted({character for character in text if character.isprintable() and ord(character) not in known})
    if missing:
        raise DataError(
            f"no font here draws {''.join(missing[:8])}; install one such as Noto Sans CJK, "
            "or save the picture as .svg, which leaves fonts to its reader"
        )
