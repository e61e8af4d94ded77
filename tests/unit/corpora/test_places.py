import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmind.corpora.places import SchemaError, line_of, naming_lines, steps
from pmind.errors import DataError

PATH = Path("f.json")
DOCUMENT = {
    "version": "v1",
    'a "quoted\\" key\n': [0, {"deep": [[], {}, [10, 11]]}],
    "data": [{"title": "x]}", "qas": [{"id": "a", "text": "{["}, {"id": "b", "text": "\\"}]}, 7],
    "end": None,
}


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("data", ["data"]),
        ("[3]", [3]),
        ("[3].context[0]", [3, "context", 0]),
        ("nfl_653.qa_pairs[12].answer", ["nfl_653", "qa_pairs", 12, "answer"]),
        ("a[0][1]", ["a", 0, 1]),
        ("answers[0].text", ["answers", 0, "text"]),
        ("", []),
    ],
)
def test_a_place_has_steps(place, expected):
    assert steps(place) == expected


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["version"], '"v1"'),
        (['a "quoted\\" key\n', 1, "deep", 2, 1], "11"),
        (["data", 0, "qas", 1, "id"], '"b"'),
        (["data", 1], "7"),
        (["end"], "null"),
    ],
)
@pytest.mark.parametrize("indent", [None, 1, "\t"])
def test_the_line_is_that_of_the_value(path, value, indent):
    text = json.dumps(DOCUMENT, indent=indent)
    assert value in text.splitlines()[line_of(text, path) - 1]
    assert line_of("\n\n" + text, path) == line_of(text, path) + 2


def test_a_path_that_leads_nowhere_gives_the_innermost_value_that_is_there():
    text = json.dumps(DOCUMENT, indent=1)
    second = line_of(text, ["data", 0, "qas", 1])
    assert line_of(text, ["data", 0, "qas", 1, "answers", 0]) == second
    assert line_of(text, ["data", 0, "qas", 1, "id", "x"]) == line_of(text, ["data", 0, "qas", 1, "id"])
    assert line_of(text, ["data", 0, "qas", 2]) == line_of(text, ["data", 0, "qas"])
    assert line_of(text, ["gone", 4]) == 1
    assert line_of(text, ["data", "0"]) == line_of(text, ["data"])
    assert line_of(text, []) == 1


def leaves(value, path=()):
    """Every path to a number."""
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, (*path, key))]
    if isinstance(value, list):
        return [leaf for index, inner in enumerate(value) for leaf in leaves(inner, (*path, index))]
    return [path]


def numbered(value, numbers):
    """The same shape with a number of its own in every leaf."""
    if isinstance(value, dict):
        return {key: numbered(inner, numbers) for key, inner in value.items()}
    if isinstance(value, list):
        return [numbered(inner, numbers) for inner in value]
    return next(numbers)


SHAPES = st.recursive(
    st.none(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text('ab"\\{}[],: \n中', max_size=3), inner, max_size=4)
    ),
    max_leaves=30,
)


@given(shape=SHAPES, indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans())
def test_every_number_of_any_document_is_found(shape, indent, ascii_only):
    document = numbered(shape, iter(range(1000, 2000)))
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only)
    for path, number in zip(leaves(document), range(1000, 2000), strict=False):
        assert line_of(text, list(path)) == text.count("\n", 0, text.index(str(number))) + 1


def failing(where):
    text = json.dumps(DOCUMENT, indent=1)
    with naming_lines(PATH, text):
        raise SchemaError(where, "is empty. Fill it")


def test_an_error_in_a_document_names_its_line():
    text = json.dumps(DOCUMENT, indent=1)
    line = line_of(text, ["data", 0, "qas", 1, "text"])
    with pytest.raises(SchemaError) as error:
        failing("f.json: data[0].qas[1].text")
    assert str(error.value) == f"f.json:{line}: data[0].qas[1].text: is empty. Fill it"
    assert (error.value.where, error.value.problem) == (f"f.json:{line}", "data[0].qas[1].text: is empty. Fill it")


@pytest.mark.parametrize("where", ["f.json:3", "g.json: data[0]", "hub row 3"])
def test_other_places_stay_as_they_are(where):
    with pytest.raises(SchemaError) as error:
        failing(where)
    assert str(error.value) == f"{where}: is empty. Fill it"


def test_other_errors_pass():
    with pytest.raises(DataError, match=r"^f\.json: data\[0\]: truncated$"), naming_lines(PATH, "{}"):
        raise DataError("f.json: data[0]: truncated")


def test_an_error_in_a_field_of_the_whole_document_names_its_line():
    from pmind.corpora.sources import require

    text = '{\n"data": 3}'
    with pytest.raises(SchemaError) as error, naming_lines(PATH, text):
        require(json.loads(text), "data", list, "f.json")
    assert str(error.value) == "f.json:2: data: expected a list, found int"
