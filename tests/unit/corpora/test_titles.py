import gzip
import json
import lzma
from pathlib import Path

import pytest

from pmind.corpora.titles import article_titles, normal_title
from pmind.errors import DataError

SQUAD = Path(__file__).parents[3] / "../shared/data/squad"


def squad(*titles):
    return json.dumps({"data": [{"title": title, "paragraphs": []} for title in titles]})


def test_titles_of_a_folder_are_those_of_all_its_files(tmp_path):
    (tmp_path / "a.json").write_text(squad("Super_Bowl_50"), encoding="utf-8")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "b.json.gz").write_bytes(gzip.compress(squad("Warsaw").encode()))
    (tmp_path / "c.json.xz").write_bytes(lzma.compress(squad("東富山站", "Warsaw").encode()))
    (tmp_path / "notes.txt").write_text("no questions", encoding="utf-8")
    assert article_titles(str(tmp_path)) == {"super bowl 50", "warsaw", "東富山站"}
    assert article_titles(str(tmp_path / "a.json")) == {"super bowl 50"}


def test_no_source_has_no_titles():
    assert article_titles("") == frozenset()


@pytest.mark.parametrize("title", ["Beyoncé", "BEYONCÉ", "Beyonc%C3%A9", "Beyonce\u0301", " Beyoncé_ "])
def test_titles_are_compared_in_one_spelling(title):
    assert normal_title(title) == "beyoncé"


def test_errors_name_file_and_place(tmp_path):
    (tmp_path / "bad.json").write_text('{"data": [\n{"title": "A"},\n{"paragraphs": []}]}', encoding="utf-8")
    (tmp_path / "none.json").write_text('{"data": []}', encoding="utf-8")
    (tmp_path / "empty").mkdir()
    for name, message in [
        ("bad.json", r"bad\.json:3: data\[1\]: no field 'title'"),
        ("none.json", "no article has a title"),
        ("empty", r"empty: no such file, or a folder without \*\.json"),
        ("gone.json", "gone.json: no such file"),
    ]:
        with pytest.raises(DataError, match=message):
            article_titles(str(tmp_path / name))


@pytest.mark.skipif(not SQUAD.is_dir(), reason="real data files are not beside the repository")
def test_real_titles_are_read():
    titles = article_titles(str(SQUAD / "squad_dev-v1.1.reconstructed.json.xz"))
    assert len(titles) == 36
    assert "super bowl 50" in titles
