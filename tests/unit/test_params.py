from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import yaml

from pmind import geometry, params, rope, visibility
from pmind.errors import ParamsError
from pmind.models.settings import Settings
from pmind.params import SECTIONS, BenchmarkParams, GeometryParams, RunParams, TaskParams, TextParams, load_section
from pmind.tasks import dataset, grouping
from pmind.tasks.catalog import DATASETS

SHIPPED = Path(__file__).resolve().parents[2] / "params.yaml"


@pytest.fixture
def changed(tmp_path):
    """Write the shipped params with some keys changed; a dotted key goes into a section, ``None`` drops it."""

    def write(**changes) -> Path:
        document = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
        for key, value in changes.items():
            *sections, name = key.split(".")
            target = document[sections[0]] if sections else document
            if value is None:
                del target[name]
            else:
                target[name] = value
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return path

    return write


def load(path, section):
    kind = SECTIONS[section] if section else GeometryParams
    return load_section(path, section, kind)


def test_the_shipped_file_is_valid():
    for section, kind in SECTIONS.items():
        assert isinstance(load_section(SHIPPED, section, kind), kind)
    assert load_section(SHIPPED, None, RunParams).seed >= 0
    assert load_section(SHIPPED, None, GeometryParams).rope_2d_ratio == 0.25  # so that a sweep to 0.5 changes something


def test_the_shipped_datasets_are_known_ones():
    for section in ("squad", "cmb"):
        assert load_section(SHIPPED, section, TaskParams).dataset in DATASETS


def test_swept_keys_are_top_level():
    document = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    swept = "seed base_model rope_2d_ratio branch_stride branch_encoding pair_placement alignment visibility branches"
    assert set(swept.split()) <= {key for key, value in document.items() if not isinstance(value, dict)}


def test_choices_are_those_of_the_core():
    assert get_args(params.Encoding) == get_args(rope.Encoding)
    assert get_args(params.Placement) == get_args(rope.Placement)
    assert set(get_args(params.AlignmentChoice)) == {"auto", *get_args(geometry.Alignment)}
    assert set(get_args(params.VisibilityName)) == set(visibility.VISIBILITIES)
    assert set(get_args(params.GroupingChoice)) == {"auto", *get_args(dataset.Grouping)}
    assert get_args(params.LongContexts) == get_args(grouping.LongContexts)


def test_every_geometry_parameter_is_a_setting_of_a_checkpoint():
    assert set(get_type_hints(GeometryParams)) <= set(get_type_hints(Settings))


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        (None, {"rope_2d_ratoi": 0.5}, r"unknown key 'rope_2d_ratoi'; did you mean 'rope_2d_ratio'\?"),
        (None, {"zzz": 1}, "unknown key 'zzz'. Known keys: .*visibility"),
        ("pretrain", {"pretrain.step": 5}, r"pretrain: unknown key 'step'; did you mean 'steps'\?"),
        (None, {"rope_2d_ratio": 1.5}, "rope_2d_ratio must be between 0 and 1, not 1.5"),
        (None, {"rope_2d_ratio": -0.1}, "must be between 0 and 1"),
        (None, {"rope_2d_ratio": float("nan")}, "must be between 0 and 1, not nan"),
        (None, {"rope_2d_ratio": "half"}, "rope_2d_ratio must be a number, not 'half'"),
        (None, {"rope_2d_ratio": True}, "must be a number, not True"),
        (None, {"branch_stride": 0}, "branch_stride must be at least 1, not 0"),
        (None, {"branch_stride": 1.5}, "branch_stride must be a whole number, not 1.5"),
        (None, {"branch_encoding": "rotate"}, "must be one of replace, offset, not 'rotate'"),
        (None, {"visibility": ["columnar"]}, "must be one of columnar, isolated"),
        (None, {"pair_indices": [1, 0]}, "pair_indices must be at least 1, not 0"),
        (None, {"alignment": None}, "missing key 'alignment'"),
        ("text", {"text": None}, "no section 'text'"),
        ("text", {"text.source": 3}, "text: source must be a text, not 3"),
        ("pretrain", {"pretrain.min_branches": 99}, r"min_branches 99 is more than max_branches \d+"),
        ("squad", {"squad.min_questions": 11}, "min_questions 11 is more than max_questions 10"),
        ("squad", {"squad.grouping": "alphabetical"}, "grouping must be one of auto, context, random, subdomain"),
        ("cmb", {"cmb.long_contexts": "cut"}, "cmb: long_contexts must be one of drop, truncate, not 'cut'"),
        ("cmb", {"cmb.similarity": 1.5}, "cmb: similarity must be between 0 and 1, not 1.5"),
        ("cmb", {"cmb.test_source": None}, "missing key 'test_source'"),
    ],
)
def test_errors_name_file_key_and_what_would_do(changed, section, changes, message):
    path = changed(**changes)
    with pytest.raises(ParamsError, match=message) as caught:
        load(path, section)
    assert str(caught.value).startswith(str(path))


def test_a_misspelt_sweep_fails_whatever_section_is_read(changed):
    with pytest.raises(ParamsError, match="unknown key 'brnaches'"):
        load(changed(brnaches=4), "text")


def test_whole_numbers_are_numbers(changed):
    loaded = load(changed(rope_2d_ratio=1), None)
    assert loaded.rope_2d_ratio == 1.0
    assert isinstance(loaded.rope_2d_ratio, float)


def test_a_lone_number_is_a_list_of_one(changed):
    assert load_section(changed(**{"benchmark.branches": 4}), "benchmark", BenchmarkParams).branches == (4,)


@pytest.mark.parametrize(
    ("content", "message"), [("a: [1", "not valid YAML"), ("- 1\n", "expected a mapping"), ("", "expected a mapping")]
)
def test_files_that_are_no_params(tmp_path, content, message):
    path = tmp_path / "params.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ParamsError, match=message):
        load_section(path, "text", TextParams)


def test_missing_file(tmp_path):
    with pytest.raises(ParamsError, match=r"none\.yaml: cannot be read"):
        load_section(tmp_path / "none.yaml", "text", TextParams)
