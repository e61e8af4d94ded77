import re
from xml.etree import ElementTree

import pytest

from pmind.reports.document import FIGURES
from pmind.reports.drawing import DARK, LIGHT, METHOD_LOOKS, STAND_INS, ratio_ticks, standalone
from pmind.reports.figures import loss_figure, memory_figure
from pmind.reports.metrics import Metrics, read_kept, read_metrics
from pmind.reports.timings import METHODS

PAPERS = {"#ffffff": LIGHT, "#14181e": DARK}  # as in report.css
LEAST_CONTRAST = 4.0  # WCAG asks 3 of drawings


@pytest.mark.parametrize("name", [*FIGURES, "loss"])
def test_a_figure_is_the_same_every_time_and_uses_the_page_s_colours(metrics_folder, name):
    metrics, kept = read_metrics(metrics_folder), read_kept(metrics_folder)
    draw = FIGURES.get(name, lambda metrics: loss_figure(metrics, kept))
    drawing = draw(metrics)
    assert drawing == draw(metrics)
    assert "var(--series-1" in drawing or name == "speedup"  # of which parallel is the measure
    assert not [colour for colour in STAND_INS if colour in drawing]
    assert not re.search(r"(?<!, )#(?!000000|ffffff)[0-9a-f]{6}\b", drawing)
    ElementTree.fromstring(standalone(drawing))


@pytest.mark.parametrize("name", FIGURES)
def test_there_is_no_figure_without_numbers(name):
    assert FIGURES[name](Metrics({})) is None
    assert loss_figure(Metrics({}), {}) is None


@pytest.mark.parametrize(
    ("name", "shown", "hidden"),
    [
        ("throughput", ["parallel", "batch_cached", "no_attention", "16"], ["ideal"]),
        ("speedup", ["sequential", "batch", "batch_cached", "ideal", "16 ×"], ["parallel", "no_attention"]),
        ("memory", ["peak memory beyond the model", "keys and values", "parallel", "8 MiB"], ["no_attention"]),
        ("latency", ["time to the last answer", "time to the first token", "20 ms", "1 s"], ["no_attention"]),
        ("phases", ["seconds at 16 branches", "reading context and prompts", "1.71 s"], ["no_attention"]),
        ("load", ["latency p99", "queue p50", "deadline", "arriving", "answered in time", "50%"], []),
    ],
)
def test_a_figure_names_what_it_shows(metrics_folder, name, shown, hidden):
    drawing = FIGURES[name](read_metrics(metrics_folder))
    texts = {"".join(text.itertext()).strip() for text in ElementTree.fromstring(drawing).iter() if _is_text(text)}
    assert set(shown) <= texts
    assert not set(hidden) & texts


@pytest.mark.parametrize("name", FIGURES)
def test_one_row_is_enough_for_a_figure(metrics_folder, name):
    files = read_metrics(metrics_folder).files
    few = {"load": {"load.at_50.queue_p50_s": 0.5}}
    few["benchmark"] = {key: value for key, value in files["benchmark"].items() if ".branches_1." in key}
    ElementTree.fromstring(FIGURES[name](Metrics(few)))


def test_memory_that_was_not_measured_or_not_needed_is_no_obstacle(metrics_folder):
    rows = {"benchmark.parallel.branches_1.kv_bytes": 1024, "benchmark.parallel.branches_1.peak_memory_bytes": 0}
    assert "1 KiB" in memory_figure(Metrics({"benchmark": rows}))
    assert "peak memory" not in memory_figure(Metrics({"benchmark": rows}))


def test_ticks_are_round_and_few():
    assert ratio_ticks(80, 3000) == [100, 200, 500, 1000, 2000]
    assert ratio_ticks(0.9, 40, base=2) == [1, 2, 4, 8, 16, 32]
    assert ratio_ticks(1, 10**6) == [10**power for power in range(7)]
    assert len(ratio_ticks(1, 2**40, base=2)) <= 7


def test_methods_look_different():
    assert list(METHOD_LOOKS) == list(METHODS)
    assert len({look.colour for look in METHOD_LOOKS.values()}) == len(METHODS)
    assert len({(look.marker, look.stroke) for look in METHOD_LOOKS.values()}) == len(METHODS)


@pytest.mark.parametrize("paper", PAPERS)
def test_lines_stand_out_on_light_and_dark_paper(paper):
    ink, _, *series = PAPERS[paper]  # the grid may be faint
    assert min(contrast(colour, paper) for colour in (ink, *series)) >= LEAST_CONTRAST
    assert len(set(series)) == len(METHODS)


def contrast(first, second):
    """Ratio of relative luminances, WCAG 2.2."""
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _is_text(element):
    return element.tag.endswith("}text")
