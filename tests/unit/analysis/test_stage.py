import json
from pathlib import Path

import pytest
import yaml

from pmind.errors import ModelError
from pmind.models.settings import save_settings
from pmind.reports.analyses import read_analyses
from pmind.tasks.records import write_groups
from stages import analyze
from tests.conftest import THREADS
from tests.unit.analysis.groups import COLUMNAR, question_groups
from tests.unit.models.adapted import write_base

SHIPPED = Path(__file__).resolve().parents[3] / "params.yaml"
SMALL = {"groups": 2, "branches": [2], "targets": 1, "ablation_groups": 2, "ablation_heads": 1, "max_new_tokens": 2}


@pytest.fixture
def params(tmp_path):
    document = yaml.safe_load(SHIPPED.read_text(encoding="utf-8")) | {"threads": THREADS}
    document["analyze"] |= SMALL
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def test_the_stage_writes_what_the_report_reads(tmp_path, params, capsys):
    model, groups = tmp_path / "model", tmp_path / "test.jsonl"
    write_base(model)
    save_settings(model, COLUMNAR)
    write_groups(groups, question_groups(3))
    out = tmp_path / "metrics" / "analysis" / "squad.json"
    analyze.main(model, groups, out, params=params)
    assert "ablation" in capsys.readouterr().out
    first = out.read_text(encoding="utf-8")
    assert "seconds" not in json.loads(first)
    (analysis,) = read_analyses(tmp_path / "metrics")
    assert analysis.content["conditions"]["visibility"] == "columnar"
    analyze.main(model, groups, out, params=params)
    assert out.read_text(encoding="utf-8") == first


def test_a_missing_model_is_named(tmp_path, params):
    with pytest.raises(ModelError, match="nowhere"):
        analyze.main(tmp_path / "nowhere", tmp_path / "test.jsonl", tmp_path / "out.json", params=params)
