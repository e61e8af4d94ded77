"""Write the report from the metrics, and the rows that ``dvc plots`` draws."""

from pathlib import Path

from pmind.params import ReportParams, load_section
from pmind.reports.document import build_document
from pmind.reports.metrics import read_kept, read_metrics
from pmind.reports.plots import write_plots
from pmind.reports.render import print_summary, write_report
from pmind.stage import run_stage


def main(metrics: Path, report: Path, *, params: Path = Path("params.yaml")) -> None:
    """Write report.md and report.html into REPORT from the files in METRICS, and plot data into METRICS/plots."""
    config = load_section(params, "report", ReportParams)
    measured = read_metrics(metrics)
    page = write_report(report, build_document(measured, read_kept(metrics), config.title))
    write_plots(metrics / "plots", measured)
    print_summary(measured)
    print(f"report: {page}")


if __name__ == "__main__":
    run_stage(main)
