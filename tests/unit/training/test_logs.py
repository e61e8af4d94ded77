import json
import shutil
from pathlib import Path

import pytest

from tests.unit.training.resumable import EVERY, STEPS, random_objective, run

CURVES = ["grad_norm.tsv", "learning_rate.tsv", "loss.tsv", "tokens.tsv"]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("logged")
    _, progress = run(folder / "run", random_objective(), curves=folder / "logs")
    return folder / "logs", progress


def test_every_step_has_a_row_in_every_curve(logged):
    logs, progress = logged
    assert sorted(files(logs)) == ["metrics.json", *(f"plots/metrics/{name}" for name in CURVES)]
    for name in CURVES:
        rows = [line.split("\t") for line in (logs / "plots" / "metrics" / name).read_text().splitlines()]
        assert rows[0] == ["step", name.removesuffix(".tsv")]
        assert [row[0] for row in rows[1:]] == [str(step) for step in range(STEPS)]
    losses = (logs / "plots" / "metrics" / "loss.tsv").read_text().splitlines()
    assert [float(row.split("\t")[1]) for row in losses[1:]] == progress.losses
    summary = json.loads((logs / "metrics.json").read_text())
    assert summary["tokens"] == sum(progress.tokens)
    assert summary["learning_rate"] == pytest.approx(0.1)


def test_equal_runs_write_equal_files(logged, tmp_path):
    run(tmp_path / "run", random_objective(), curves=tmp_path / "logs")
    assert files(tmp_path / "logs") == files(logged[0])


@pytest.mark.parametrize("kept", [True, False])
def test_an_interrupted_run_writes_the_same_files(logged, tmp_path, kept):
    """Steps after the last checkpoint are not written twice, and what DVC removed comes back."""

    def interrupt(step):
        if step == EVERY + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", random_objective(), curves=tmp_path / "logs", before_step=interrupt)
    if not kept:
        shutil.rmtree(tmp_path / "logs")
    run(tmp_path / "run", random_objective(), curves=tmp_path / "logs")
    assert files(tmp_path / "logs") == files(logged[0])


def test_curves_can_be_read_while_the_run_goes_on(tmp_path):
    seen = []

    def look(step):
        curve = tmp_path / "logs" / "plots" / "metrics" / "loss.tsv"
        seen.append(len(curve.read_text().splitlines()) if step else 1)

    run(tmp_path / "run", random_objective(), steps=3, curves=tmp_path / "logs", before_step=look)
    assert seen == [1, 2, 3]
