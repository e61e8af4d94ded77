"""The README's result tables, read from the metrics and written between two marks."""

from collections.abc import Mapping
from pathlib import Path

from pmind.errors import DataError
from pmind.reports.metrics import Metrics
from pmind.reports.render import readme_tables

START, END = "<!-- results: written by `pmind results --readme README.md` -->", "<!-- end of results -->"


def fill_readme(path: Path, metrics: Metrics, kept: Mapping[str, Metrics]) -> None:
    """Replace what stands between the marks with this run's tables and those of KEPT ones.

    Raises:
        DataError: the marks are missing.
    """
    text = path.read_text(encoding="utf-8")
    if START not in text or END not in text:
        raise DataError(f"{path}: no result marks; put '{START}' and '{END}' where the tables belong")
    before, rest = text.split(START, 1)
    after = rest.split(END, 1)[1]
    path.write_text(f"{before}{START}\n\n{readme_tables(metrics, kept)}\n\n{END}{after}", encoding="utf-8")
