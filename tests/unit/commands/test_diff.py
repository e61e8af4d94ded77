import json

import pytest

from pmind.evaluation.rows import write_rows
from tests.answers import row


@pytest.fixture
def files(tmp_path):
    """Answers of two methods to the same four questions; the second gets one of them wrong."""
    said = {"parallel": ["x", "x", "x", "x"], "sequential": ["x", "y", "x", "x"]}
    for method, texts in said.items():
        rows = [
            row(question_id=f"q{n}", document=f"d{n}", method=method, text=text, question=f"What is {n}?")
            for n, text in enumerate(texts)
        ]
        write_rows(tmp_path / f"{method}.parquet", rows)
    return [tmp_path / f"{method}.parquet" for method in said]


def test_json_tells_the_difference_of_every_measure(pmind, files):
    code, out, err = pmind("diff", *files, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    by_measure = {entry["measure"]: entry["comparison"] for entry in found["measures"]}
    assert by_measure.keys() == {"em", "f1", "lenient"}
    assert by_measure["em"]["difference"]["value"] == 0.25
    assert (by_measure["em"]["won"], by_measure["em"]["lost"], by_measure["em"]["tied"]) == (1, 0, 3)
    assert [change["question_id"] for change in found["changes"]] == ["q1"]


def test_the_text_names_measures_and_differing_questions(pmind, files):
    code, out, _ = pmind("diff", *files)
    assert code == 0
    assert "What is 1?" in out
    assert "What is 2?" not in out
    assert "What is 1?" not in pmind("diff", *files, "--limit", 0)[1]


def test_files_of_other_questions_are_refused_unless_told(pmind, files, tmp_path):
    more = [row(question_id=f"q{n}", document=f"d{n}", question=f"What is {n}?", text="x") for n in range(5)]
    write_rows(tmp_path / "more.parquet", more)
    code, out, err = pmind("diff", files[0], tmp_path / "more.parquet")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "q4" in err
    assert pmind("diff", files[0], tmp_path / "more.parquet", "--common-only")[0] == 0


def test_a_missing_file_is_named(pmind, files, tmp_path):
    code, _, err = pmind("diff", files[0], tmp_path / "gone.parquet")
    assert code == 2
    assert "gone.parquet: no such file" in err
