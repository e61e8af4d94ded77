"""pmind results | keep | keep-model: what the pipeline measured."""

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
    from pmind.reports.keeping import keep_experiment

    print(f"kept in {keep_experiment(metrics, name)}; dvc repro report shows it")


def keep_model(
    name: Annotated[str, typer.Argument(help="How reports call the model, such as minimind-26m-enwiki.")],
    command: Annotated[str, typer.Option(help="What was typed to train and measure it.")],
    single: Annotated[Path | None, typer.Option(help="loss.json of the same run with single branches.")] = None,
    metrics: Annotated[Path, typer.Option(help="Folder the pipeline wrote.")] = Path("metrics"),
) -> None:
    """Keep the current run as a trained model's record, with its parallel tax and scores, for later reports.

    Example: pmind keep-model minimind-26m-enwiki --command "dvc exp run -S ..." --single single/loss.json
    """
    from pmind.reports import keeping

    print(f"kept in {keeping.keep_model(metrics, name, command, single)}; dvc repro report shows it")
