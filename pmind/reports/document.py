"""The report as sections of paragraphs, tables and figures, before it has a format."""

from collections.abc import Mapping
from dataclasses import dataclass

from pmind.reports import quality_tables, speed_tables, tables
from pmind.reports.figures import loss_figure, throughput_figure
from pmind.reports.finding import finding
from pmind.reports.metrics import DATASETS, Flat, Metrics
from pmind.reports.tables import Table


@dataclass(frozen=True)
class Figure:
    """An SVG drawing; NAME is its file's name without ``.svg``."""

    name: str
    caption: str
    svg: str


@dataclass(frozen=True)
class Section:
    """A heading with texts, tables and figures in this order; backticks mark code."""

    title: str
    texts: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class Document:
    """A report: its title, the finding, and the sections that bear it out."""

    title: str
    finding: tuple[str, ...]
    sections: tuple[Section, ...]


def build_document(metrics: Metrics, kept: Mapping[str, Metrics], title: str) -> Document:
    """Make the report of METRICS.

    Args:
        metrics: what the pipeline measured.
        kept: the same of other runs, by name, to compare with.
        title: heading of the report.
    """
    sections = (
        _quality(metrics),
        _speed(metrics),
        _loss(metrics, kept),
        _comparison(metrics, kept),
        _settings(metrics),
        _sources(metrics),
    )
    return Document(title, tuple(finding(metrics)), sections)


def _quality(metrics: Metrics) -> Section:
    texts = (
        "`parallel` decodes all questions of a passage in one pass, `sequential` asks one at a time, `batch` asks all "
        "side by side with the passage repeated. Intervals are clustered by document.",
        "Rows: `parallel − sequential` is their paired difference in points; `swapped passages` is parallel with every "
        "passage swapped for another, where a model that reads must fall to the `blind guess`, the best answer that "
        "ignores the passage.",
    )
    datasets = metrics.datasets() or list(DATASETS)
    return Section("Quality", texts, tuple(quality_tables.quality(metrics, dataset) for dataset in datasets))


def _speed(metrics: Metrics) -> Section:
    conditions = metrics.files.get("benchmark_conditions", {})
    texts = (
        (f"Measured on {_conditions(conditions)}.", "Peak memory is what decoding adds to the loaded model.")
        if conditions
        else ()
    )
    found = (speed_tables.throughput(metrics), speed_tables.timing(metrics))
    svg = throughput_figure(metrics)
    drawings = (Figure("throughput", "Tokens per second against branches.", svg),) if svg else ()
    return Section("Speed by number of branches", texts, found if drawings else found[:1], drawings)


def _loss(metrics: Metrics, kept: Mapping[str, Metrics]) -> Section:
    svg = loss_figure(metrics, kept)
    drawings = (
        (Figure("loss", "Validation loss against branches. The axis does not start at zero.", svg),) if svg else ()
    )
    text = "The same validation texts, laid out as 1, 2, 4, … branches of a sample."
    return Section("Loss by number of branches", (text,), (quality_tables.loss(metrics),), drawings)


def _comparison(metrics: Metrics, kept: Mapping[str, Metrics]) -> Section:
    texts = (
        "Runs of the same pipeline with other settings, kept with `pmind keep NAME`. With `rope_2d_ratio` 0 nothing in "
        "the rotary embedding tells one branch from another. Loss at 1 is the validation loss, in nats per token, "
        "with one branch.",
    )
    found = [quality_tables.comparison(metrics, kept)]
    if kept:
        found.append(tables.differing_settings(metrics, kept))
    return Section("Beside other settings", texts, tuple(found))


def _settings(metrics: Metrics) -> Section:
    listed = {
        "Settings": "settings",
        "Benchmark conditions": "benchmark_conditions",
        "Data: reading comprehension": "groups_squad",
        "Data: Chinese medical questions": "groups_cmb",
        "Pretraining": "pretrain",
        "Fine-tuning: reading comprehension": "finetune_squad",
        "Fine-tuning: Chinese medical questions": "finetune_cmb",
    }
    found = tuple(tables.listing(caption, metrics, file) for caption, file in listed.items())
    return Section("Settings and conditions", (), found)


def _sources(metrics: Metrics) -> Section:
    text = (
        "Every number above is read from `metrics/`; a stage of `dvc.yaml` wrote it, under the section of "
        "`params.yaml` of the same name. The rows behind each score are in `data/answers/`."
    )
    return Section("How each number was made", (text,), (tables.sources(metrics),))


def _conditions(conditions: Flat) -> str:
    words = {
        "cpu": "{}",
        "threads": "{} threads",
        "dtype": "{}",
        "model": "model `{}`",
        "context_tokens": "{} context tokens",
        "prompt_tokens": "{} prompt tokens",
        "answer_tokens": "{} answer tokens a question",
        "repeats": "median of {} runs",
    }
    return ", ".join(words[key].format(conditions[key]) for key in words if key in conditions)
