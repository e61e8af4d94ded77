import gzip
import json
import lzma

import pytest

from pmind.corpora.hub import hub_splits, hub_stream
from pmind.corpora.places import SchemaError
from pmind.corpora.sources import (
    parse_json,
    read_json_lines,
    read_lines,
    read_table,
    read_text,
    require,
    require_text,
    source_kind,
)
from pmind.errors import DataError

VALUE = {"data": [1, "中文"]}


def read_json(path):
    return parse_json(read_text(path), path)


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


def test_json_that_ends_within_a_text_ends_too_early(tmp_path):
    path = write(tmp_path / "a.json", '{"data":\n"long te')
    with pytest.raises(DataError, match=r"a\.json:2: not valid JSON .*ends too early"):
        read_json(path)


def test_lines_of_json_come_with_their_places(tmp_path):
    path = write(tmp_path / "a.jsonl.gz", '{"a": 1}\n\n[2]\n')
    assert list(read_json_lines(path)) == [(f"{path}:1", {"a": 1}), (f"{path}:3", [2])]


def test_bad_line_of_json_lines_is_named(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"a": 1}\n\n{"a": \n')
    with pytest.raises(DataError, match=r"a\.jsonl:3"):
        list(read_json_lines(path))


def test_bytes_that_are_not_utf8_name_file_and_line(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"a\.txt:1: not UTF-8"):
        list(read_lines(tmp_path / "a.txt"))


def test_bytes_that_are_not_utf8_far_into_a_file_name_the_line(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"line\n" * 49 + b"\xff\n")
    with pytest.raises(DataError, match=r"a\.txt:50: not UTF-8"):
        list(read_lines(tmp_path / "a.txt"))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"gone\.json: cannot be read \(No such file"):
        read_json(tmp_path / "gone.json")


def rows_of(path, text, **options):
    return [(where.removeprefix(f"{path}:"), row) for where, row in read_table(write(path, text), **options)]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.xz"])
def test_rows_of_a_table_come_with_their_places(tmp_path, name):
    text = 'question,answer\n"Who, where?",Ann\n\n"two\nlines ""quoted""",Bob\nlast,Eve'
    assert rows_of(tmp_path / name, text, header=True) == [
        ("1", ["question", "answer"]),
        ("2", ["Who, where?", "Ann"]),
        ("4", ['two\nlines "quoted"', "Bob"]),
        ("6", ["last", "Eve"]),
    ]


def test_quotes_mean_nothing_in_a_table_with_tabs(tmp_path):
    text = 'He said "no\t1\n"Why?" she asked\t2, 3\n'
    assert rows_of(tmp_path / "a.tsv", text, header=False, delimiter="\t") == [
        ("1", ['He said "no', "1"]),
        ("2", ['"Why?" she asked', "2, 3"]),
    ]


def test_line_ends_of_windows_and_an_empty_table(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a,b\r\n1,2\r\n")
    assert [row for _, row in read_table(tmp_path / "a.csv", header=True)] == [["a", "b"], ["1", "2"]]
    assert rows_of(tmp_path / "b.csv", "", header=True) == []


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    assert rows_of(tmp_path / "a.csv", "\ufeffa,b\n", header=True) == [("1", ["a", "b"])]


@pytest.mark.parametrize(
    ("text", "header", "message"),
    [
        ("a,b\n1,2\n\n1,2,3\n", True, r"a\.csv:4: 3 fields, the header has 2"),
        ("1,2\n1\n", False, r"a\.csv:2: 1 fields, the first row has 2"),
        ('a,b\n"1\n2",3\n1\n', True, r"a\.csv:4: 1 fields"),
        ('a,b\n1,"open\nfor ever\n', True, r"a\.csv:2: not valid CSV \(unexpected end of data\)"),
        ('a,b\n1,"x"y\n', True, r"a\.csv:2: not valid CSV"),
    ],
)
def test_bad_rows_name_file_and_line(tmp_path, text, header, message):
    with pytest.raises(SchemaError, match=message):
        rows_of(tmp_path / "a.csv", text, header=header)


def test_a_table_in_another_encoding_or_cut_short_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_bytes("é,b\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.csv:1: not UTF-8"):
        list(read_table(tmp_path / "a.csv", header=True))
    packed = write(tmp_path / "a.csv.gz", "a,b\n" * 5000)
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"a\.csv\.gz: truncated or corrupt after line \d+"):
        list(read_table(packed, header=True))


def test_source_kinds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "squad.json", "{}")
    (tmp_path / "race").mkdir()
    kinds = {"builtin": "builtin", "squad.json": "file", "race": "file", "rajpurkar/squad": "hub", "a/b:config": "hub"}
    assert {source: source_kind(source) for source in kinds} == kinds


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gone/squad.json", "no such file"),
        ("squad.json.xz", "no such file"),
        ("../data/squad", "no such file"),
        ("bultin", "neither"),
        ("", "neither"),
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


def test_required_text_is_stripped_and_never_blank():
    assert require_text({"a": " x\n"}, "a", "f") == "x"
    with pytest.raises(SchemaError, match=r"f: data\[0\]\.a: is empty"):
        require_text({"a": " \n"}, "a", "f: data[0]")


def test_errors_of_a_text_start_at_its_first_line(tmp_path):
    with pytest.raises(DataError, match=r"a\.jsonl:8: not valid JSON \(Expecting value, column 2\)\."):
        parse_json("[\n ,]", tmp_path / "a.jsonl", first_line=7)
