"""pmind results | keep: what the pipeline measured."""

from pathlib import Path
from typing import Annotated

import typer


def results(
    metrics: Annotated[Path, typer.Option(help="Folder the pipeline wrote.")] = Path("metrics"),
    report: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("data/report"),
    readme: Annotated[Path | None, typer.Option(help="Write the tables between this file's result marks.")] = None,
) -> None:
    """Print the tables of the last pipeline run, and where its report is.

    Example: pmind results
    """
    from pmind.reports.metrics import read_kept, read_metrics
    from pmind.reports.readme import fill_readme
    from pmind.reports.render import print_summary

    measured = read_metrics(metrics)
    print_summary(measured)
    if readme:
        fill_readme(readme, measured, read_kept(metrics))
    page = report / "report.html"
    print(f"report: {page}" if page.is_file() else "report: not written yet, run dvc repro report")


def keep(
    name: Annotated[str, typer.Argument(help="How reports call this run, such as rope_2d_ratio=0.")],
    metrics: Annotated[Path, typer.Option(help="Folder the pipeline wrote.")] = Path("metrics"),
) -> None:
    """Keep the current run's scores, so that later reports show them beside their own.

    Example: pmind keep rope_2d_ratio=0
    """
    from pmind.reports.metrics import keep as keep_run

    print(f"kept in {keep_run(metrics, name)}; dvc repro report shows it")
