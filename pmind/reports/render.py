"""A document as Markdown, as one self-contained HTML page, and as tables on a terminal."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import rich.table
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from rich.console import Console
from rich.text import Text

from pmind.reports.ablation_tables import compact_sweep
from pmind.reports.document import Document
from pmind.reports.drawing import DARK_STYLE, LIGHT_STYLE, standalone
from pmind.reports.engine_tables import compact
from pmind.reports.evaluation_runs import EvaluationRun
from pmind.reports.evaluation_tables import by_kind, compact_reading, surely_differs
from pmind.reports.load_tables import load
from pmind.reports.metrics import DATASETS, Metrics
from pmind.reports.model_tables import compact_models
from pmind.reports.origin_tables import RATIOS
from pmind.reports.quality_tables import comparison, loss, quality
from pmind.reports.speed_tables import roofline, throughput
from pmind.reports.tables import Table

LEAST_WIDTH = 150  # of a terminal; numbers that are cut short mislead


def markdown(document: Document) -> str:
    """Make the report in Markdown; its figures are ``<name>.svg`` beside it."""
    return _environment(autoescape=False).get_template("report.md.j2").render(document=document)


def html(document: Document) -> str:
    """Make the report as one page that needs nothing from outside."""
    template = _environment(autoescape=True).get_template("report.html.j2")
    return template.render(document=document, light=Markup(LIGHT_STYLE), dark=Markup(DARK_STYLE))


def write_report(folder: Path, document: Document) -> Path:
    """Write report.md, its figures and report.html into FOLDER; returns the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for figure in (figure for section in document.sections for figure in section.figures):
        (folder / f"{figure.name}.svg").write_text(standalone(figure.svg), encoding="utf-8")
    (folder / "report.md").write_text(markdown(document), encoding="utf-8")
    page = folder / "report.html"
    page.write_text(html(document), encoding="utf-8")
    return page


def print_table(table: Table, console: Console) -> None:
    """Print TABLE, and what would fill its gaps."""
    printed = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(table.header):
        printed.add_column(
            name, justify="right" if number >= table.labels and table.numeric else "left", no_wrap=not number
        )
    for row in table.rows:
        printed.add_row(*(Text(_plain(cell)) for cell in row))
    console.print(Text(_plain(table.caption), style="bold"))
    if table.rows:
        console.print(printed)
    for note in table.notes:
        console.print(Text(_plain(note)))
    if table.gap:
        console.print(Text(_plain(table.gap)))


def print_summary(metrics: Metrics) -> None:
    """Print quality, speed and the comparison with other engines to the terminal."""
    console = Console(width=max(Console().width, LEAST_WIDTH), soft_wrap=True)
    for dataset in metrics.datasets() or DATASETS:
        print_table(quality(metrics, dataset), console)
    for table in _compact(metrics.evaluations):
        print_table(table, console)
    print_table(throughput(metrics), console)
    if metrics.timings():
        print_table(roofline(metrics), console)
    print_table(load(metrics), console)
    for run in (*metrics.engines, *metrics.gpu):
        print_table(compact(run), console)


def readme_tables(metrics: Metrics, kept: Mapping[str, Metrics]) -> str:
    """Quality, datasets, speed, loss and the kept runs beside this one in Markdown, for the README."""
    shown = [
        *(quality(metrics, dataset) for dataset in metrics.datasets()),
        *_compact(metrics.evaluations),
        *(table for run in metrics.comparisons if surely_differs(run) for table in by_kind(run)),
        throughput(metrics),
        *map(compact, metrics.engines),
    ]
    shown += _training(metrics)
    if kept:
        shown.append(comparison(metrics, kept))
    return "\n\n".join("\n\n".join((f"{table.caption}:", _markdown_rows(table), *table.notes)) for table in shown)


def _training(metrics: Metrics) -> list[Table]:
    """Loss by number of branches, models trained on real text, and the first ablation; each if it was measured."""
    models = [compact_models(metrics.models)] if metrics.models else []
    ratio = metrics.sweep(RATIOS)
    found = [loss(metrics), *models, *([compact_sweep(ratio)] if ratio else [])]
    return [table for table in found if table.rows]


def _compact(runs: Sequence[EvaluationRun]) -> list[Table]:
    """Reading comprehension in few rows, if it was run; the report has every dataset."""
    return [table for table in (compact_reading(runs),) if table.rows]


def _environment(autoescape: bool) -> Environment:
    environment = Environment(
        loader=PackageLoader("pmind.reports"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(code=_code, rows=_markdown_rows)
    return environment


def _markdown_rows(table: Table) -> str:
    ends = ["---"] * table.labels + ["---:" if table.numeric else "---"] * (len(table.header) - table.labels)
    rows = ([cell.replace("|", "\\|") for cell in row] for row in (table.header, ends, *table.rows))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _code(text: str) -> Markup:
    """Text as HTML, with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _plain(text: str) -> str:
    return text.replace("`", "")
