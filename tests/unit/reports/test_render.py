import itertools
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from pmind.reports.document import build_document
from pmind.reports.metrics import Metrics, read_kept, read_metrics
from pmind.reports.render import html, markdown, print_summary, readme_tables
from stages import report

FIGURES = [
    *("throughput", "speedup", "memory", "latency", "phases", "load", "loss", "loss_positions", "model_tax"),
    *("ablation_ratio", "ablation_ratio_scores", "ablation_grid"),
]
VOID = {"meta", "path", "use", "link", "br"}


class Outline(HTMLParser):
    """Collects ids and checks that tags close in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.ids = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture
def document(metrics_folder):
    return build_document(read_metrics(metrics_folder), read_kept(metrics_folder), "Questions & <answers>")


def test_the_page_is_well_formed_and_needs_nothing_from_outside(document):
    page = html(document)
    outline = Outline(page)
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert not re.search(r'(src|href)="(?!#)', page)
    assert "url(" not in page.replace("url(#", "")
    assert not re.findall(r"https?://(?!www\.w3\.org/)", page)


def test_texts_from_metrics_are_escaped(document):
    page = html(document)
    assert "a &lt;b&gt; CPU" in page
    assert "<code>a &lt;b&gt; | model</code>" in page
    assert "a <b>" not in page
    assert "Questions &amp; &lt;answers&gt;" in page


def test_light_dark_and_phones_are_served(document):
    page = html(document)
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page
    assert page.count('class="scroll"') == page.count("<table")


def test_markdown_tables_have_as_many_cells_as_headers(document):
    lines = markdown(document).splitlines()
    lines = [line.replace("\\|", "") for line in lines]
    blocks = [line.count("|") for line in lines if line.startswith("|")]
    assert blocks
    for above, below in itertools.pairwise(lines):
        if above.startswith("|") and below.startswith("|"):
            assert above.count("|") == below.count("|")
    pictures = [line for line in lines if line.startswith("![")]
    assert [re.search(r"\((\w+)\.svg\)", line)[1] for line in pictures] == FIGURES


def test_a_report_of_nothing_says_what_to_run():
    text = markdown(build_document(Metrics({}), {}, "Nothing"))
    for stage in ("evaluate", "benchmark", "pretrain", "group@cmb", "finetune@squad"):
        assert f"`dvc repro {stage}`" in text
    for dataset in ("squad", "mmlu"):
        assert (
            f"Nothing here yet: run `pmind evaluate {dataset} --model … --keep metrics/evaluations/NAME.json`" in text
        )
    assert "every score" not in text
    assert text.count("Nothing here yet: run `make ablations`.") == 1
    assert "real text" not in text


@pytest.mark.parametrize(
    "absent",
    [
        *("load", "benchmark", "benchmark_conditions", "quality", "loss", "engines/one", "evaluations/squad"),
        *("ablations/ratio", "ablations/grid", "models/minimind-26m", "training_cost/minimind-26m"),
    ],
)
def test_a_report_stands_without_any_of_its_files(metrics_folder, absent):
    (metrics_folder / f"{absent}.json").unlink()
    metrics = read_metrics(metrics_folder)
    document = build_document(metrics, {}, "Almost all")
    assert Outline(html(document)).open == []
    assert markdown(document)
    print_summary(metrics)
    assert readme_tables(metrics, {})


def test_notes_stand_below_their_table(document):
    assert "\n\nNot measured: vllm at 1 branches: out of memory\n" in markdown(document)
    assert '<p class="note">Not measured: vllm' in html(document)


def test_the_readme_has_datasets_in_few_rows_with_their_files(metrics_folder):
    text = readme_tables(read_metrics(metrics_folder), {})
    assert "\n| `squad` | `tiny` | parallel | 8 | 144 | 6.00 × | 60.0 (50.0–70.0) | 50.0 (40.0–60.0) |\n" in text
    assert "`metrics/evaluations/squad.json`" in text
    assert "race" not in text
    assert "MMLU" not in text
    without = readme_tables(Metrics(read_metrics(metrics_folder).files), {})
    assert "pmind evaluate" not in without


def test_the_readme_has_loss_models_and_the_ratio_sweep_in_few_columns(metrics_folder):
    text = readme_tables(read_metrics(metrics_folder), {})
    assert "\n| 16 | 1.4160 | +0.0150 | 4.121 |\n" in text
    assert "\n| minimind-26m on some text | 2.4100 | 2.4400 | 2.5600 |  | +0.1600 |\n" in text
    assert "\n| rope_2d_ratio | Loss at 1 | Loss at 16 | Tax at 16 | squad parallel: exact match, % | Seeds |\n" in text
    assert "About grid" not in text
    without = readme_tables(Metrics({}), {})
    assert "loss" not in without.lower()


def test_names_are_on_the_left_and_numbers_on_the_right(document):
    page, text = html(document), markdown(document)
    assert '<td class="label">parallel</td><td>8</td>' in page
    assert '<th scope="col" class="label">Method</th><th scope="col">Branches</th>' in page
    assert "| --- | --- | ---: | ---: | ---: |" in text


def test_the_stage_writes_everything_and_ends_with_the_path(metrics_folder, tmp_path, capsys):
    params = tmp_path / "params.yaml"
    params.write_text("report:\n  title: Many questions\n")
    report.main(metrics_folder, tmp_path / "report", params=params)
    written = {path.name for path in (tmp_path / "report").iterdir()}
    assert written == {"report.md", "report.html", *(f"{name}.svg" for name in FIGURES)}
    assert (tmp_path / "report" / "report.md").read_text(encoding="utf-8").startswith("# Many questions\n\nWith all")
    rows = json.loads((metrics_folder / "plots" / "throughput.json").read_text())
    assert rows[0]["branches"] == 1
    printed = capsys.readouterr().out
    assert "97.4 (96.4–98.4)" in printed
    for caption in ("Tokens per second", "Time per column", "Waiting and latency", "minimind-26m, float32"):
        assert caption in printed
    assert "batch_cached" in printed  # not cut
    assert printed.splitlines()[-1].endswith("report.html")


def test_the_report_never_imports_torch():
    code = "import sys, stages.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
