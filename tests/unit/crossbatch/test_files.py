import json
import shutil

import pytest
import torch

from pmind.crossbatch.config import CrossBatchConfig
from pmind.crossbatch.files import FOLDER, attach_saved, has_crossbatch, read_origin, remove_crossbatch, save_crossbatch
from pmind.crossbatch.hook import attached
from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import ModelError, SettingsError
from pmind.models.loading import load_model
from pmind.params import FinetuneParams, LoraParams
from pmind.training.finetuning import start_student
from tests.reference import assert_close, decode_recorded
from tests.tiny import build_word_tokenizer, stock_model
from tests.unit.crossbatch.modules import CONFIGS, model_with, trained, untrained
from tests.unit.crossbatch.test_hook import STOCK
from tests.unit.decoding.test_reader import REQUEST
from tests.unit.training.test_finetuning import PARAMS


def save_model(folder, module=None, **changes):
    stock_model(**changes).save_pretrained(folder)
    build_word_tokenizer().save_pretrained(folder)
    if module is not None:
        save_crossbatch(folder, module, model="models/base", grouping="context")
    return folder


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_saved_module_comes_back(tmp_path, config):
    folder, module = save_model(tmp_path, trained(config)), trained(config)
    model, _ = load_model(folder)
    state = torch.get_rng_state()
    attach_saved(model, folder, grouping="context")
    assert torch.get_rng_state().equal(state)
    assert attached(model).config == config
    saved = attached(model).state_dict()
    assert all(saved[name].equal(value) for name, value in module.state_dict().items())


def test_a_decoder_uses_the_module_of_its_folder(tmp_path):
    decoder = ParallelDecoder.from_pretrained(save_model(tmp_path, trained()))
    expected, answers = (
        decode_recorded(model, STOCK, [REQUEST])[0] for model in (model_with(trained(), STOCK), decoder.model)
    )
    for number, (_, logits) in expected.items():
        assert_close(answers[number][1], logits)


def test_an_untrained_module_changes_no_answer_and_no_score(tmp_path):
    plain, mixed = save_model(tmp_path / "plain"), save_model(tmp_path / "mixed", untrained())
    asked = ("w1 w2 w3", ["w4 w5", "w6", "w7"])
    given = []
    for folder in (plain, mixed):
        decoder = ParallelDecoder.from_pretrained(folder, compiled=False)
        given.append((decoder.generate(*asked, max_new_tokens=9), decoder.score(*asked, [["w8 w9", "w1"]] * 3)))
    assert given[0] == given[1]


def test_a_candidate_is_scored_beside_its_siblings_prompts(tmp_path):
    """Its first token hears of them; who would meet whom among the candidates themselves is nowhere said."""
    alone, mixed = (
        ParallelDecoder.from_pretrained(save_model(tmp_path / name, module)).score("w1", ["w4 w5", "w6"], [["w8"]] * 2)
        for name, module in (("plain", None), ("mixed", trained()))
    )
    assert abs(alone[0][0] - mixed[0][0]) > 1e-3


def test_other_weights_are_refused(tmp_path):
    """Trap: a checkpoint that names another base model."""
    own, other = save_model(tmp_path / "own", trained()), save_model(tmp_path / "other", vocab_size=62)
    shutil.copytree(own / FOLDER, other / FOLDER)
    with pytest.raises(
        ModelError, match=r"a module for weights [0-9a-f]{12}, trained from models/base, but .* are"
    ) as e:
        ParallelDecoder.from_pretrained(other)
    assert read_origin(own)[1].weights[:12] in str(e.value)


def test_another_grouping_is_refused_where_one_is_asked_for(tmp_path):
    folder = save_model(tmp_path, trained())
    ParallelDecoder.from_pretrained(folder)
    ParallelDecoder.from_pretrained(folder, grouping="context")
    with pytest.raises(SettingsError, match="trained on groups by context, but groups by random are asked for"):
        ParallelDecoder.from_pretrained(folder, grouping="random")


def test_damaged_files_are_named(tmp_path):
    folder = save_model(tmp_path, trained())
    path = folder / FOLDER / "module.json"
    values = json.loads(path.read_text())
    for broken, message in (
        ("{", "not a cross-batch module"),
        (json.dumps(values | {"kind": "mixer"}), "cannot be loaded"),
    ):
        path.write_text(broken)
        with pytest.raises(ModelError, match=message):
            ParallelDecoder.from_pretrained(folder)
    path.write_text(json.dumps(values))
    (folder / FOLDER / "module.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be loaded"):
        ParallelDecoder.from_pretrained(folder)


def test_equal_modules_give_equal_bytes(tmp_path):
    first, second = (save_model(tmp_path / name, trained(CrossBatchConfig(layer=0))) for name in "ab")
    for path in (first / FOLDER).iterdir():
        assert path.read_bytes() == (second / FOLDER / path.name).read_bytes()


def test_remove(tmp_path):
    folder = save_model(tmp_path, trained())
    assert has_crossbatch(folder)
    remove_crossbatch(folder)
    assert not has_crossbatch(folder)
    remove_crossbatch(folder)
    assert attached(ParallelDecoder.from_pretrained(folder).model) is None


def test_training_on_would_leave_it_behind(tmp_path):
    folder = save_model(tmp_path, trained())
    config, lora = FinetuneParams(**PARAMS["finetune"]), LoraParams(**PARAMS["lora"])
    with pytest.raises(ModelError, match="trained with a cross-batch module, which training on would leave behind"):
        start_student(folder, STOCK, config, lora)
