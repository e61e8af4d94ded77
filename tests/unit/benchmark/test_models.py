from dataclasses import replace

from pmind.benchmark.models import Models, model_folder
from pmind.benchmark.runners.checkpoint import read_shape
from tests.unit.models.adapted import SETTINGS, trained_adapter, write_base


def test_an_adapter_is_timed_as_a_plain_model(setup, tmp_path):
    trained_adapter(write_base(tmp_path / "base"), tmp_path / "adapter")
    with model_folder(str(tmp_path / "adapter"), "bfloat16", seed=1) as folder:
        models = Models(replace(setup, folder=folder, dtype="bfloat16"))
        assert models.decoder.settings == SETTINGS
        base = Models(replace(setup, folder=tmp_path / "base", dtype="bfloat16")).stock
        pairs = zip(models.stock.named_parameters(), base.parameters(), strict=True)
        changed = {name.split(".")[-2] for (name, weight), other in pairs if not weight.equal(other)}
        assert changed == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
        assert read_shape(folder).layers == 2  # engines with files of their own can read it
