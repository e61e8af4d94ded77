"""The report as sections of paragraphs, tables and figures, before it has a format."""

from collections.abc import Mapping
from dataclasses import dataclass

from pmind.reports import (
    benchmark_tables,
    engine_tables,
    evaluation_tables,
    figures,
    load_tables,
    quality_tables,
    speed_tables,
    tables,
)
from pmind.reports.attention_sections import attention_section, independence_section
from pmind.reports.finding import finding
from pmind.reports.metrics import DATASETS, Metrics
from pmind.reports.sections import Figure, Section
from pmind.reports.training_sections import training_sections

FIGURES = {
    "throughput": figures.throughput_figure,
    "speedup": figures.speedup_figure,
    "memory": figures.memory_figure,
    "latency": figures.latency_figure,
    "phases": figures.phases_figure,
    "load": figures.load_figure,
}


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
        _benchmarks(metrics),
        *_datasets(metrics),
        *_methods(metrics),
        _speed(metrics),
        _load(metrics),
        *_engines(metrics),
        _loss(metrics, kept),
        *training_sections(metrics),
        *_analyses(metrics),
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
    found = [
        table
        for dataset in datasets
        for table in (quality_tables.quality(metrics, dataset), *quality_tables.other_scores(metrics, dataset))
    ]
    return Section("Quality", texts, tuple(found))


def _benchmarks(metrics: Metrics) -> Section:
    text = (
        "Knowledge and reasoning, answered by each model in several ways with `pmind evaluate`. Accuracy of multiple "
        "choice is by log-likelihood of the options. A cell that was not run is empty."
    )
    return Section("Datasets: methods by branches", (text,), benchmark_tables.benchmarks(metrics.evaluations))


def _datasets(metrics: Metrics) -> list[Section]:
    compared = (
        "Each table is one run of `pmind evaluate`, its methods answering the same questions. Differences are paired "
        "with `sequential`, question by question; `Same answers` is the share of answers that read as its answer "
        "does. Scores without an interval are of all questions together."
    )
    runs = metrics.evaluations
    read = tuple(evaluation_tables.reading(run) for run in runs if evaluation_tables.is_reading(run))
    other = tuple(evaluation_tables.scores(run) for run in runs if not evaluation_tables.is_reading(run))
    reading = Section("Datasets: reading comprehension", (compared,), read or (evaluation_tables.no_reading(),))
    rest = "Every score of the runs that are no reading comprehension, compared in the same way."
    return [reading, Section("Datasets: every score", (rest,), other)] if other else [reading]


def _methods(metrics: Metrics) -> list[Section]:
    text = (
        "Every way to answer a group, by `pmind compare`: `multi_turn` has all earlier answers at hand, the "
        "collaborative methods those that a question was found to depend on, `all_in_one` asks once for all. Tokens "
        "and seconds are per group."
    )
    found = tuple(
        table
        for run in metrics.comparisons
        for table in (evaluation_tables.comparison(run), *evaluation_tables.by_kind(run))
    )
    return [Section("Methods side by side", (text,), found)] if found else []


def _analyses(metrics: Metrics) -> list[Section]:
    return [
        section(analysis.content)
        for analysis in metrics.analyses
        for section in (attention_section, independence_section)
    ]


def _speed(metrics: Metrics) -> Section:
    conditions = metrics.files.get("benchmark_conditions", {})
    measured = [f"Measured on random tokens: {speed_tables.conditions(conditions)}."] if conditions else []
    texts = (
        *measured,
        "`parallel`, `parallel_columnar` and `sequential_cached` are this project's engine; `sequential`, `batch`, "
        "`batch_cached` and `all_in_one` are `generate` of `transformers`. `batch_cached` reads the context once and "
        "copies its keys and values for every question: the fair rival. `no_attention` is the step of "
        "`parallel` with attention skipped: a bound, not a way of answering.",
        "The roofline is the least time in which this machine can read what a column must read, or multiply what it "
        "must multiply. Peak memory is what decoding adds to the loaded model.",
    )
    found = [speed_tables.throughput(metrics)]
    if metrics.timings():
        found += [speed_tables.roofline(metrics), speed_tables.timing(metrics)]
    drawn = (
        _figure("throughput", "Throughput by method and branches; the dotted line skips attention.", metrics),
        _figure("speedup", "What parallel gains; ideally as many times as there are branches.", metrics),
        _figure("memory", "Memory by branches: what decoding adds at most, and its keys and values.", metrics),
        _figure("latency", "Latency by branches: until the last answer, and until the first token.", metrics),
        _figure("phases", "Where the time goes: reading context and prompts, then writing answers.", metrics),
    )
    return Section("Speed", texts, tuple(found), tuple(filter(None, drawn)))


def _load(metrics: Metrics) -> Section:
    texts = (load_tables.load_conditions(metrics),) if "load" in metrics.files else ()
    drawn = _figure("load", "Latency, queue time and goodput by rate of arrival.", metrics)
    return Section("Load", texts, (load_tables.load(metrics),), (drawn,) if drawn else ())


def _engines(metrics: Metrics) -> list[Section]:
    text = (
        "Each table is one run of `pmind benchmark`, its engines timed in turn on the same machine with the same "
        "weights. The last column is how many times faster `parallel` is; `Same tokens` compares with `sequential`."
    )
    found = tuple(map(engine_tables.engines, metrics.engines)) or (engine_tables.no_engines(),)
    on_gpu = tuple(map(engine_tables.engines, metrics.gpu))
    gpu = [Section("Against other engines on a GPU", (text,), on_gpu)] if on_gpu else []
    return [Section("Against other engines", (text,), found), *gpu]


def _loss(metrics: Metrics, kept: Mapping[str, Metrics]) -> Section:
    by_branches, by_position = figures.loss_figure(metrics, kept), figures.position_loss_figure(metrics)
    drawn = []
    if by_branches:
        drawn.append(Figure("loss", "Validation loss against branches. The axis does not start at zero.", by_branches))
    if by_position:
        drawn.append(Figure("loss_positions", "Validation loss by position in the branch.", by_position))
    text = "The same validation texts, laid out as 1, 2, 4, … branches of a sample; every token weighs the same."
    found = (quality_tables.loss(metrics), *quality_tables.position_loss(metrics))
    return Section("Loss by number of branches", (text,), found, tuple(drawn))


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


def _figure(name: str, caption: str, metrics: Metrics) -> Figure | None:
    svg = FIGURES[name](metrics)
    return Figure(name, caption, svg) if svg else None
