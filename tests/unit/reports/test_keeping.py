import json

import pytest

from pmind.errors import DataError
from pmind.reports.keeping import keep_experiment, keep_model
from pmind.reports.metrics import read_kept
from pmind.reports.trained_models import read_models


def test_a_kept_run_is_read_back_beside_other_settings(metrics_folder):
    keep_experiment(metrics_folder, "default")
    assert list(read_kept(metrics_folder)) == ["ratio-0"]  # the kept run is this run itself
    (metrics_folder / "settings.json").write_text('{"rope_2d_ratio": 0.5}')
    kept = read_kept(metrics_folder)
    assert list(kept) == ["default", "ratio-0"]
    assert kept["default"].number("quality", "squad.parallel.em") == 0.974


@pytest.mark.parametrize("name", ["", "../away", "a/b", ".hidden"])
def test_a_run_is_kept_under_a_plain_name(metrics_folder, name):
    with pytest.raises(DataError, match="cannot name a run"):
        keep_experiment(metrics_folder, name)


def test_an_unfinished_run_is_not_kept(metrics_folder):
    (metrics_folder / "quality.json").unlink()
    with pytest.raises(DataError, match=r"no quality\.json yet.*dvc repro evaluate"):
        keep_experiment(metrics_folder, "default")


@pytest.fixture
def trained(metrics_folder):
    counts = {"parameters": 26, "documents": 9, "documents_left_out": 1, "texts": 8, "steps": 2, "label_tokens": 100}
    pretrain = {f"pretrain.{name}": count for name, count in counts.items()}
    (metrics_folder / "pretrain.json").write_text(json.dumps(pretrain))
    return metrics_folder


def test_a_kept_model_is_read_back_with_its_tax(trained, tmp_path):
    single = tmp_path / "single.json"
    single.write_text('{"loss.branches_1": 1.0, "perplexity.branches_1": 2.7}')
    keep_model(trained, "mine", "dvc exp run -S base_model=small", single)
    (model,) = [model for model in read_models(trained) if model.name == "mine"]
    losses = json.loads((trained / "loss.json").read_text())
    assert model.taxes()[16] == pytest.approx(losses["loss.branches_16"] - 1.0)
    assert model.command == "dvc exp run -S base_model=small"
    assert (model.conditions["steps"], model.conditions["documents_left_out"]) == (2, 1)
    assert "em" in model.scored()["squad"]["parallel"]
    assert None not in model.interval("squad.parallel.em")
    assert model.interval("squad.parallel_minus_sequential.em")[0] is not None


def test_scores_are_kept_under_the_dataset_s_own_name(trained):
    settings = json.loads((trained / "settings.json").read_text())
    (trained / "settings.json").write_text(json.dumps(settings | {"squad.dataset": "squad", "cmb.dataset": "race"}))
    keep_model(trained, "real", "dvc repro")
    (model,) = [model for model in read_models(trained) if model.name == "real"]
    assert list(model.scored()) == ["race", "squad"]
    assert model.interval("race.parallel.accuracy")[0] == 0.974
    assert not [key for key in model.conditions if key.endswith("dataset")]


def test_a_model_kept_without_a_twin_has_no_tax(trained):
    keep_model(trained, "alone", "dvc repro")
    (model,) = [model for model in read_models(trained) if model.name == "alone"]
    assert model.losses() and not model.taxes()
