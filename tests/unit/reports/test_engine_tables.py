import json

import pytest

from pmind.errors import DataError
from pmind.reports.document import build_document
from pmind.reports.engine_tables import compact, engines, no_engines
from pmind.reports.metrics import Metrics, read_metrics
from pmind.reports.render import readme_tables


@pytest.fixture
def run(metrics_folder):
    return read_metrics(metrics_folder).engines[0]


def test_engines_stand_below_parallel_at_each_number_of_branches(run):
    table = engines(run)
    assert table.caption == "`minimind-26m`, float32, context 1024, some CPU, 1 thread"
    methods = ["parallel", "sequential", "batch", "batch_cached"]
    assert [row[0] for row in table.rows] == [*methods, "no_attention", *methods, "vllm", "no_attention"]
    cells = {row[0]: dict(zip(table.header, row, strict=True)) for row in table.rows if row[1] == "8"}
    assert cells["sequential"]["parallel is faster"] == "8.00 ×"
    assert cells["parallel"]["parallel is faster"] == cells["no_attention"]["parallel is faster"] == ""
    assert (cells["vllm"]["Total"], cells["vllm"]["Same tokens, %"]) == ("213 ms", "50.0")
    assert cells["vllm"]["One column"] == ""  # what an engine cannot tell is no gap
    assert table.gap == ""


def test_versions_and_failures_stand_below(run):
    versions, failure = engines(run).notes
    assert versions == "pmind 0.1: `parallel`; transformers 5: `sequential`, `batch`; vLLM 0.11: `vllm`"
    assert failure == "Not measured: vllm at 1 branches: out of memory"


def test_the_readme_has_few_columns_at_8_and_16_branches(run, metrics_folder):
    table = compact(run)
    assert table.header == ("Method", "Branches", "Total", "One column", "Tokens/s", "Same tokens, %")
    assert table.rows[0] == ("parallel", "8", "107 ms", "4.00 ms", "2,400", "100.0")
    assert {row[1] for row in table.rows} == {"8"}
    assert "no_attention" not in [row[0] for row in table.rows]
    metrics = read_metrics(metrics_folder)
    assert f"{table.caption}:" in readme_tables(metrics, {})
    assert table.caption not in readme_tables(Metrics(metrics.files), {})


def test_without_8_and_16_the_most_branches_are_shown(metrics_folder):
    path = metrics_folder / "engines" / "one.json"
    content = json.loads(path.read_text())
    content["rows"] = [row for row in content["rows"] if row["branches"] == 1]
    path.write_text(json.dumps(content))
    assert {row[1] for row in compact(read_metrics(metrics_folder).engines[0]).rows} == {"1"}


def test_a_run_without_rows_still_stands(metrics_folder):
    (metrics_folder / "engines" / "one.json").write_text('{"rows": [], "conditions": {}}')
    run = read_metrics(metrics_folder).engines[0]
    assert engines(run).caption == "`engines/one.json`"
    assert engines(run).rows == compact(run).rows == ()


def test_a_gpu_has_a_section_when_it_has_runs(metrics_folder):
    metrics = read_metrics(metrics_folder)
    sections = {section.title: section for section in build_document(metrics, {}, "").sections}
    assert sections["Against other engines on a GPU"].tables[0].caption == "`minimind-26m`, some GPU"
    without = [section.title for section in build_document(Metrics(metrics.files), {}, "").sections]
    assert "Against other engines on a GPU" not in without


def test_without_runs_the_report_says_how_to_make_one():
    assert "`pmind benchmark" in no_engines().gap
    assert "--out metrics/engines/NAME.json" in no_engines().gap


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"rows": [}', r"one\.json:1: not valid JSON"),
        ("[]", "no rows and conditions of a benchmark"),
        ('{"rows": []}', "no rows and conditions"),
        ('{"rows": [{"method": "parallel"}], "conditions": {}}', "'branches'"),
    ],
)
def test_a_broken_run_is_named_with_what_writes_it(metrics_folder, content, message):
    (metrics_folder / "engines" / "one.json").write_text(content)
    with pytest.raises(DataError, match=message) as caught:
        read_metrics(metrics_folder)
    assert "pmind benchmark" in str(caught.value)
