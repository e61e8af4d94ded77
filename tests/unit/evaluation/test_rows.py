import dataclasses

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pmind.errors import DataError
from pmind.evaluation.rows import (
    KIND,
    AnswerRow,
    QuestionTimes,
    read_rows,
    read_times,
    times_path,
    write_rows,
    write_times,
)

FREE = AnswerRow(
    question_id="q1", group_id="g1", document="Torvale", category="", dataset="squad", scoring="squad", branch=1,
    method="parallel", prompt="\nQ: Who?\nA:", question="Who?", references=("Orin", "Orin B."), options=(), correct=(),
    text="Orin", token_ids=(5, 7), finish_reason="stop", columns=(12, 14),
)  # fmt: skip
CHOICE = dataclasses.replace(
    FREE, question_id="q2", category="内科", options=("胃炎", "肺炎", "痛风"), correct=(1,), text="肺炎",
    option_scores=(-1.5, -0.25, -3.0),
)  # fmt: skip
SEVERAL = dataclasses.replace(CHOICE, question_id="q3", correct=(0, 2), option_scores=())
UNANSWERABLE = dataclasses.replace(FREE, question_id="q4", references=(), text="", token_ids=())
ROWS = [FREE, CHOICE, SEVERAL, UNANSWERABLE]


def rewrite(path, change=lambda table: table, kind="answer rows, version 3"):
    """Put the table in PATH through CHANGE and call it KIND."""
    table = change(pq.read_table(path))
    with pq.ParquetWriter(path, table.schema, store_schema=False) as file:
        file.write_table(table)
        file.add_key_value_metadata({KIND: kind} if kind else {})


def test_rows_survive_the_file(tmp_path):
    path = tmp_path / "squad" / "parallel.parquet"
    write_rows(path, ROWS)
    assert read_rows(path) == ROWS


def test_every_row_field_has_its_column_and_no_other(tmp_path):
    write_rows(tmp_path / "a.parquet", ROWS)
    assert pq.read_schema(tmp_path / "a.parquet").names == [field.name for field in dataclasses.fields(AnswerRow)]


def test_equal_rows_make_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_rows(tmp_path / f"{name}.parquet", [dataclasses.replace(row) for row in ROWS])
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_the_file_tells_its_version_and_nothing_about_who_wrote_it(tmp_path):
    write_rows(tmp_path / "a.parquet", ROWS)
    assert pq.read_metadata(tmp_path / "a.parquet").metadata == {b"pmind.kind": b"answer rows, version 3"}


def test_a_failed_write_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "a.parquet"
    write_rows(path, ROWS)
    before = path.read_bytes()
    with pytest.raises(pa.ArrowInvalid):
        write_rows(path, [dataclasses.replace(FREE, branch=2**40)])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_reader_keeps_the_file_it_opened(tmp_path):
    path, opened = tmp_path / "a.parquet", tmp_path / "opened"
    write_rows(path, ROWS)
    opened.hardlink_to(path)
    write_rows(path, ROWS[:1])
    assert read_rows(opened) == ROWS
    assert read_rows(path) == ROWS[:1]


def test_a_write_cut_short_leaves_nothing_behind(tmp_path, monkeypatch):
    def break_off(file, table):
        raise OSError("no space left")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", break_off)
    with pytest.raises(OSError, match="no space"):
        write_rows(tmp_path / "a.parquet", ROWS)
    assert list(tmp_path.iterdir()) == []


def test_no_question_may_have_another_passage(tmp_path):
    write_rows(tmp_path / "parallel_swapped.parquet", [])
    assert read_rows(tmp_path / "parallel_swapped.parquet") == []


def test_missing_file_names_the_stage(tmp_path):
    with pytest.raises(DataError, match=r"gone\.parquet: no such file.*dvc repro decode"):
        read_rows(tmp_path / "gone.parquet")


@pytest.mark.parametrize("cut", [0, 40, 1500])
def test_a_truncated_file_is_named_in_one_line(tmp_path, cut):
    path = tmp_path / "a.parquet"
    write_rows(path, ROWS)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"a\.parquet: not a readable Parquet file .*dvc repro decode") as caught:
        read_rows(path)
    assert "\n" not in str(caught.value)


def test_a_single_wrong_bit_is_found(tmp_path):
    path = tmp_path / "a.parquet"
    write_rows(path, [dataclasses.replace(FREE, token_ids=tuple(number**2 for number in range(2000)))])
    column = pq.read_metadata(path).row_group(0).column(14)
    content = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start + column.total_compressed_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet: not a readable Parquet file .*dvc repro decode"):
        read_rows(path)


def test_rows_of_before_are_not_parquet(tmp_path):
    path = tmp_path / "parallel.jsonl"
    path.write_text('{"question_id": "q1"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"parallel\.jsonl: not a readable Parquet file"):
        read_rows(path)


@pytest.mark.parametrize(
    ("kind", "told"), [("answer rows, version 9", "answer rows, version 9"), ("", "something else")]
)
def test_another_version_is_told(tmp_path, kind, told):
    write_rows(tmp_path / "a.parquet", ROWS)
    rewrite(tmp_path / "a.parquet", kind=kind)
    with pytest.raises(DataError, match=rf"a\.parquet: holds {told}, not answer rows, version 3\. .*dvc repro decode"):
        read_rows(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda table: table.drop_columns(["text"]), "text"),
        (lambda table: table.rename_columns({"text": "txt"}), "text, txt"),
        (lambda table: table.select(table.column_names[::-1]), "their order"),
        (lambda table: table.set_column(6, "branch", table["branch"].cast(pa.float64())), "branch"),
    ],
)
def test_other_columns_are_named(tmp_path, change, names):
    write_rows(tmp_path / "a.parquet", ROWS)
    rewrite(tmp_path / "a.parquet", change)
    with pytest.raises(DataError, match=rf"a\.parquet: other columns than .* has: {names}\. .*dvc repro decode"):
        read_rows(tmp_path / "a.parquet")


def test_a_question_twice_is_an_error(tmp_path):
    write_rows(tmp_path / "a.parquet", [FREE, CHOICE, FREE])
    with pytest.raises(DataError, match=r"a\.parquet: row 3: question 'q1' comes twice"):
        read_rows(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"correct": ()}, "option_scores without correct"),
        ({"correct": (3,)}, r"correct is \(3,\), which are not rising indices of 3 options"),
        ({"correct": (-1,)}, "not rising indices"),
        ({"correct": (2, 1)}, "not rising indices"),
        ({"correct": (1, 1)}, "not rising indices"),
        ({"options": (), "option_scores": ()}, "not rising indices of 0 options"),
        ({"option_scores": (-1.0, -2.0)}, "2 option_scores for 3 options"),
        ({"option_scores": (float("nan"), 0.0, 0.0)}, "an option score is not a finite number"),
        ({"option_scores": (float("-inf"), 0.0, 0.0)}, "an option score is not a finite number"),
        ({"columns": (1, 2, 3)}, "not .first, last."),
    ],
)
def test_a_row_that_contradicts_itself_cannot_be(change, reason):
    with pytest.raises(DataError, match=f"question 'q2': .*{reason}"):
        dataclasses.replace(CHOICE, **change)


def test_a_contradiction_in_a_file_is_named_with_its_row(tmp_path):
    path = tmp_path / "a.parquet"
    write_rows(path, ROWS)

    def shift(table):
        broken = pa.array([[], [7], [0, 2], []], table.schema.field("correct").type)
        return table.set_column(12, table.schema.field("correct"), broken)

    rewrite(path, shift)
    with pytest.raises(DataError, match=r"a\.parquet: row 2, question 'q2': correct is \(7,\).*dvc repro decode"):
        read_rows(path)


def test_times_lie_beside_the_rows_and_survive(tmp_path):
    rows, times = tmp_path / "squad" / "parallel.parquet", [QuestionTimes("q1", 0.25, 1.5), QuestionTimes("q2", 0, 0)]
    write_times(times_path(rows), times)
    assert [path.name for path in rows.parent.iterdir()] == ["parallel.times.parquet"]
    assert read_times(times_path(rows)) == times


def test_times_are_no_rows(tmp_path):
    write_times(tmp_path / "a.times.parquet", [QuestionTimes("q1", 0.25, 1.5)])
    with pytest.raises(DataError, match="holds question times, version 1, not answer rows"):
        read_rows(tmp_path / "a.times.parquet")
    write_rows(tmp_path / "a.parquet", ROWS)
    with pytest.raises(DataError, match="holds answer rows, version 3, not question times"):
        read_times(tmp_path / "a.parquet")


def test_a_question_timed_twice_is_an_error(tmp_path):
    write_times(tmp_path / "a.parquet", [QuestionTimes("q1", 0.25, 1.5)] * 2)
    with pytest.raises(DataError, match="row 2: question 'q1' comes twice"):
        read_times(tmp_path / "a.parquet")


@pytest.mark.parametrize(("first", "total"), [(-1, 1), (2, 1), (float("nan"), 1), (0, float("nan")), (0, float("inf"))])
def test_impossible_times_cannot_be(first, total):
    with pytest.raises(DataError, match="question 'q1': first_token_s"):
        QuestionTimes("q1", first, total)
