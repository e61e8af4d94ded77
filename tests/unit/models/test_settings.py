import dataclasses
import json

import pytest

from pmind.errors import LayoutError, ModelError, SettingsError
from pmind.models.settings import STOCK, Settings, apply_requested, load_settings, save_settings

TRAINED = Settings(
    rope_2d_ratio=0.25,
    branch_stride=16,
    branch_encoding="offset",
    pair_placement="high",
    pair_indices=(2, 5),
    alignment="left",
    visibility="columnar",
    prompt_template={"context": "Text: {context}\n", "prompt": "Frage: {question} →"},
    trained_branches=(1, 16),
)


@pytest.mark.parametrize("settings", [TRAINED, STOCK, Settings(trained_branches=(2, 3))])
def test_round_trip_through_pmind_json(tmp_path, settings):
    save_settings(tmp_path, settings)
    assert load_settings(tmp_path) == settings


def test_the_file_holds_every_setting(tmp_path):
    save_settings(tmp_path, TRAINED)
    written = json.loads((tmp_path / "pmind.json").read_text(encoding="utf-8"))
    assert set(written) == {entry.name for entry in dataclasses.fields(Settings)}
    assert all(getattr(TRAINED, entry.name) != entry.default for entry in dataclasses.fields(Settings))


def test_a_folder_without_the_file_is_a_stock_model(tmp_path):
    settings = load_settings(tmp_path)
    assert (settings.visibility, settings.rope_2d_ratio, settings.alignment) == ("isolated", 0, "own")


@pytest.mark.parametrize(
    "change", [{"rope_2d_ratio": 3}, {"colour": "red"}, {"visibility": "own"}, {"pair_indices": None}]
)
def test_a_damaged_file_is_named(tmp_path, change):
    save_settings(tmp_path, TRAINED)
    path = tmp_path / "pmind.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(ModelError, match=r"pmind\.json: not a pmind settings file"):
        load_settings(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_truncated_file_is_named(tmp_path, content):
    (tmp_path / "pmind.json").write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"pmind\.json: not a pmind settings file"):
        load_settings(tmp_path)


OTHER = {
    "rope_2d_ratio": 0.5,
    "branch_stride": 128,
    "branch_encoding": "replace",
    "pair_placement": "low",
    "pair_indices": [1],
    "alignment": "right",
}


@pytest.mark.parametrize("name", OTHER)
def test_another_value_is_an_error_that_names_both(name):
    wanted = tuple(OTHER[name]) if name == "pair_indices" else OTHER[name]
    with pytest.raises(SettingsError) as caught:
        apply_requested(TRAINED, {name: OTHER[name]}, where="models/squad")
    message = str(caught.value)
    assert message.startswith("models/squad was made for ")
    assert name in message
    assert str(getattr(TRAINED, name)) in message
    assert str(wanted) in message
    assert getattr(apply_requested(TRAINED, {name: OTHER[name]}, override=True), name) == wanted


def test_another_visibility_takes_its_own_alignment():
    with pytest.raises(SettingsError, match="visibility columnar, but isolated"):
        apply_requested(TRAINED, {"visibility": "isolated"})
    overridden = apply_requested(TRAINED, {"visibility": "isolated"}, override=True)
    assert (overridden.visibility, overridden.alignment) == ("isolated", "own")
    assert apply_requested(STOCK, {"visibility": "columnar"}, override=True).alignment == "right"


def test_the_trained_values_and_none_are_accepted():
    same = {name: getattr(TRAINED, name) for name in OTHER}
    assert apply_requested(TRAINED, same) == TRAINED
    assert apply_requested(TRAINED, dict.fromkeys(same)) == TRAINED
    assert apply_requested(TRAINED, {"pair_indices": [2, 5]}) == TRAINED


def test_a_misspelt_setting():
    with pytest.raises(SettingsError, match=r"unknown setting 'visibilty'; did you mean 'visibility'\?"):
        apply_requested(STOCK, {"visibilty": "isolated"}, override=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"visibility": "all"}, "visibility must be columnar or isolated, not 'all'"),
        ({"branch_encoding": "add"}, "branch_encoding must be replace or offset, not 'add'"),
        ({"pair_placement": "middle"}, "pair_placement must be interleaved or low or high, not 'middle'"),
        ({"rope_2d_ratio": 1.01}, "between 0 and 1"),
        ({"rope_2d_ratio": float("nan")}, "between 0 and 1"),
        ({"branch_stride": 0}, "at least 1"),
    ],
)
def test_values_out_of_range(values, message):
    with pytest.raises(SettingsError, match=message):
        Settings(**values)


def test_own_is_refused_when_columnar():
    with pytest.raises(LayoutError, match="'own' needs visibility 'isolated'"):
        Settings(visibility="columnar", alignment="own")
    assert Settings(visibility="columnar", alignment="auto").alignment == "right"
