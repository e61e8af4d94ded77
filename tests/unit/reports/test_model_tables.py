import json

import pytest

from pmind.errors import DataError
from pmind.reports.metrics import read_metrics
from pmind.reports.model_figures import tax_figure
from pmind.reports.model_tables import compact_models, losses, scores, training_cost
from pmind.reports.tables import sources
from pmind.reports.trained_models import read_models
from pmind.reports.training_costs import read_training_costs
from tests.unit.reports.conftest import MODEL

SENTENCE = (
    "Base model minimind-26m, label tokens 100,000,000, device a <b> GPU, versions torch 2.13; "
    "`pmind train | tee log`; `metrics/models/minimind-26m.json`."
)


@pytest.fixture
def model(metrics_folder):
    return read_models(metrics_folder)[0]


def test_losses_stand_beside_the_published_tax(model):
    table = losses(model)
    assert table.caption == "Validation loss of minimind-26m on some text"
    assert table.rows[0] == ("1", "2.4100", "11.134", "+0.0100", "2.4000", "+0.1625")
    assert table.rows[1] == ("2", "2.4200", "11.246", "+0.0200", "", "")
    assert table.notes[1] == SENTENCE
    assert table.gap == ""


def test_scores_have_a_row_a_dataset_and_method(model):
    (table,) = scores(model)
    assert table.header == ("Dataset", "Method", "Exact match, %", "Accuracy, %")
    assert table.rows == (
        ("`squad`", "parallel", "40.0 (38.0–42.0)", ""),
        ("`squad`", "sequential", "41.0", ""),
        ("`squad`", "parallel − sequential", "−1.0 (−2.0…0.0)", ""),
        ("`race`", "parallel", "", "30.0"),
    )
    assert table.notes == (SENTENCE,)


def test_a_model_without_a_twin_has_no_tax(metrics_folder):
    plain = MODEL | {"metrics": {"loss.branches_1": 2.0}}
    (metrics_folder / "models" / "minimind-26m.json").write_text(json.dumps(plain))
    (model,) = read_models(metrics_folder)
    assert losses(model).rows == (("1", "2.0000", "7.389", "—", "", "+0.1625"),)
    assert losses(model).gap
    assert scores(model) == ()
    assert tax_figure([model]) is None
    assert compact_models([model]).rows == (("minimind-26m on some text", "2.0000", "", "", "", ""),)


def test_the_figure_shows_the_published_tax(model):
    drawing = tax_figure([model])
    assert "minimind-26m on some text" in drawing
    assert "the method's origin" in drawing


def test_a_record_without_a_command_is_refused(metrics_folder):
    (metrics_folder / "models" / "minimind-26m.json").write_text(json.dumps({"metrics": {}}))
    with pytest.raises(DataError, match=r"minimind-26m\.json: no metrics and command of a trained model \('command'\)"):
        read_models(metrics_folder)


def test_the_cost_of_training_is_told_beside_causal(metrics_folder):
    table = training_cost(read_training_costs(metrics_folder)[0])
    assert table.caption.endswith(": `minimind-26m`, bfloat16, some GPU, rows of 1024 tokens")
    assert table.rows[1] == ("`columnar`", "8", "550 ms", "7,447", "1.10 ×", "36.0")
    assert table.notes[1] == "A batch: 4 rows, 1024 tokens a row; `metrics/training_cost/minimind-26m.json`."


def test_the_sources_name_every_command(metrics_folder):
    rows = {row[0]: row[2] for row in sources(read_metrics(metrics_folder)).rows}
    assert rows["`metrics/ablations/ratio.json`"] == "`make ablations`"
    assert rows["`metrics/models/minimind-26m.json`"] == "`pmind train | tee log`"
    assert "pmind benchmark-training" in rows["`metrics/training_cost/minimind-26m.json`"]
