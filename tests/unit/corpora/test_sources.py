import gzip
import json
import lzma

import pytest

from pmind.corpora.hub import hub_splits, hub_stream
from pmind.corpora.sources import read_json, read_json_lines, read_lines, require, source_kind
from pmind.errors import DataError

VALUE = {"data": [1, "中文"]}


def write(path, text):
    opener = {".gz": gzip.open, ".xz": lzma.open}.get(path.suffix, open)
    with opener(path, "wt", encoding="utf-8") as file:
        file.write(text)
    return path


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.json.xz"])
def test_json_is_read_from_every_packing(tmp_path, name):
    assert read_json(write(tmp_path / name, json.dumps(VALUE))) == VALUE


@pytest.mark.parametrize("name", ["a.json.gz", "a.json.xz"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-20],
        lambda packed: b"not packed at all",
        lambda packed: packed[:40] + b"zz" + packed[42:],
    ],
)
def test_damaged_archives_are_errors_that_name_the_file(tmp_path, name, damage):
    path = write(tmp_path / name, json.dumps(list(range(5000))))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=f"{name}.*(truncated or corrupt|not UTF-8|not valid JSON)"):
        read_json(path)


def test_truncated_json_names_the_line(tmp_path):
    path = write(tmp_path / "a.json", json.dumps(VALUE, indent=1)[:-3])
    with pytest.raises(DataError, match=r"a\.json:4: not valid JSON .*ends too early"):
        read_json(path)


def test_bad_line_of_json_lines_is_named(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"a": 1}\n\n{"a": \n')
    with pytest.raises(DataError, match=r"a\.jsonl:3"):
        list(read_json_lines(path))


def test_bytes_that_are_not_utf8_name_file_and_line(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"a\.txt:1: not UTF-8"):
        list(read_lines(tmp_path / "a.txt"))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.json: cannot be read \(No such file"):
        read_json(tmp_path / "gone.json")


def test_source_kinds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "squad.json", "{}")
    assert [source_kind(source) for source in ("builtin", "squad.json", "rajpurkar/squad", "a/b:config")] == [
        "builtin",
        "file",
        "hub",
        "hub",
    ]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gone/squad.json", "no such file"),
        ("squad.json.xz", "no such file"),
        ("../data/squad", "no such file"),
        (".", "is a folder"),
        ("bultin", "neither"),
        ("", "is a folder"),
        ("a/b/c", "neither"),
        ("two words/squad", "neither"),
    ],
)
def test_sources_that_are_nothing_say_so(source, message):
    with pytest.raises(DataError, match=message):
        source_kind(source)


def test_an_unreachable_hub_is_one_line(monkeypatch):
    def unreachable(*_, **__):
        raise ConnectionError("no route\nto host")

    monkeypatch.setattr("datasets.load_dataset", unreachable)
    for read in (lambda: hub_splits("a/b"), lambda: list(hub_stream("a/b", "train"))):
        with pytest.raises(DataError, match=r"'a/b' cannot be read \(no route to host\).*HF_HUB_OFFLINE"):
            read()


def test_require_says_what_is_there_instead():
    assert require({"a": [1]}, "a", list, "f: data[0]") == [1]
    for record, message in [
        ({"b": 1, "c": 2}, r"f: no field 'a'. It has: b, c"),
        ([], "expected an object"),
        ({"a": 1}, r"f\.a: expected a list, found int"),
    ]:
        with pytest.raises(DataError, match=message):
            require(record, "a", list, "f")
