import shutil

import pytest

from pmind.errors import DataError
from pmind.reports.metrics import read_kept, read_metrics


def test_numbers_are_found_by_file_and_key(metrics_folder):
    metrics = read_metrics(metrics_folder)
    assert metrics.number("quality", "squad.parallel.em") == 0.974
    assert metrics.interval("squad.parallel.em") == pytest.approx((0.974, 0.964, 0.984))
    assert metrics.number("quality", "squad.parallel.gone") is None
    assert metrics.number("settings", "visibility") is None
    assert metrics.datasets() == ["squad", "cmb"]
    assert metrics.methods("squad") == ["parallel", "sequential", "batch", "base"]
    assert list(metrics.losses()) == [1, 2, 4, 8, 16]


def test_files_may_be_absent(metrics_folder):
    (metrics_folder / "loss.json").unlink()
    for folder in ("experiments", "engines", "gpu", "evaluations"):
        shutil.rmtree(metrics_folder / folder)
    metrics = read_metrics(metrics_folder)
    assert metrics.losses() == {}
    assert metrics.engines == metrics.gpu == metrics.evaluations == ()
    assert read_kept(metrics_folder) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1,\n', r"loss\.json:2: not valid JSON.*dvc repro pretrain"),
        ("[1]", "expected one object"),
        ('{"loss": {"a": 1}}', "'loss' is not a single value"),
    ],
)
def test_a_broken_file_is_named(metrics_folder, content, message):
    (metrics_folder / "loss.json").write_text(content)
    with pytest.raises(DataError, match=message):
        read_metrics(metrics_folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read_metrics(tmp_path / "gone")
