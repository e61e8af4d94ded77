import json
from pathlib import Path

import pytest

from pmind.corpora.builtin_chained import chained_task
from pmind.corpora.text import read_documents, split_sentences
from pmind.errors import DataError

SHARED = Path(__file__).parents[3] / "../shared/data/text"
PARAGRAPHS = [f"Paragraph {number} begins. It ends." for number in range(200)]


@pytest.fixture
def sources(tmp_path):
    plain, lines = tmp_path / "a.txt", tmp_path / "a.jsonl"
    plain.write_text("\n\n".join(PARAGRAPHS), encoding="utf-8")
    lines.write_text("\n".join(json.dumps({"text": text}) for text in PARAGRAPHS), encoding="utf-8")
    return [str(plain), str(lines)]


def test_builtin_documents_read_well_in_any_order():
    for document in read_documents("builtin", "train", 40, seed=1).documents:
        assert len(document) == 9
        assert all(sentence.endswith((". ", "。")) and sentence[0] != " " for sentence in document)


def test_text_for_the_chained_tasks_has_their_sentences_beside_the_plain_ones():
    documents = read_documents("builtin-chained", "train", 61, seed=1).documents
    assert len(documents) == 61
    assert documents[0] == read_documents("builtin", "train", 21, seed=1).documents[0]
    assert sum("For painter " in "".join(document) for document in documents) == 20  # hinted
    for document in documents:
        assert len(document) in (9, 13)
        assert all(sentence.endswith((". ", "。")) and sentence[0] != " " for sentence in document)
    tested = {p["context"] for p in chained_task("test", 60, seed=1)["data"][0]["paragraphs"]}
    assert tested.isdisjoint("".join(document).rstrip() for document in documents)


def test_files_of_both_kinds_give_the_same_documents_and_train_and_val_share_none(sources):
    for source in sources:
        train, val = (read_documents(source, split, 1000, seed=1).documents for split in ("train", "val"))
        assert len(train) > 150
        assert val
        assert sorted("".join(document).rstrip() for document in train + val) == sorted(PARAGRAPHS)


def test_the_seed_samples_but_never_moves_a_document_between_splits(sources):
    val = set(read_documents(sources[0], "val", 1000, seed=1).documents)
    samples = [read_documents(sources[0], "train", 20, seed).documents for seed in (1, 1, 2)]
    assert samples[0] == samples[1] != samples[2]
    assert len(samples[0]) == 20
    assert val.isdisjoint(samples[0] + samples[2])


def test_a_repeated_document_is_read_once(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n\n".join(["Same."] * 3 + PARAGRAPHS), encoding="utf-8")
    read = [read_documents(str(path), split, 1000, 1) for split in ("train", "val")]
    assert sum(len(corpus.documents) for corpus in read) == 201


def test_hub_texts_are_streamed_only_as_far_as_needed(monkeypatch):
    read = []

    def stream(*_, **options):
        assert options == {"split": "train", "streaming": True}
        for number in range(10_000):
            read.append(number)
            yield {"text": f"Document {number}."}

    monkeypatch.setattr("datasets.load_dataset", stream)
    assert len(read_documents("owner/texts", "train", 10, seed=1).documents) == 10
    assert len(read) < 30


def entries(path):
    """200 records, every second one with a title."""
    records = [{"text": text} | ({"title": f"Town_{n}"} if n % 2 else {}) for n, text in enumerate(PARAGRAPHS)]
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return str(path)


def test_documents_with_a_title_on_the_list_are_left_out_and_counted(tmp_path):
    source, titles = entries(tmp_path / "a.jsonl"), frozenset(f"town {n}" for n in range(100))
    read = [read_documents(source, split, 1000, 1, titles) for split in ("train", "val")]
    assert sum(corpus.left_out for corpus in read) == 50
    kept = {"".join(document).rstrip() for corpus in read for document in corpus.documents}
    assert kept == {text for n, text in enumerate(PARAGRAPHS) if n >= 100 or n % 2 == 0}


def test_texts_without_titles_cannot_be_left_out_unnoticed(sources):
    with pytest.raises(DataError, match=r"no document of text\.source has a title"):
        read_documents(sources[0], "train", 1000, 1, frozenset({"town 1"}))


def test_hub_texts_go_on_until_there_are_enough_beside_those_left_out(monkeypatch):
    rows = ({"text": f"Document {n}.", "title": "Yes" if n % 3 else "No"} for n in range(10_000))
    monkeypatch.setattr("datasets.load_dataset", lambda *_, **__: rows)
    corpus = read_documents("owner/texts", "train", 10, 1, frozenset({"no"}))
    assert len(corpus.documents) == 10
    assert 1 <= corpus.left_out <= 8
    assert all(int(document[0].split()[1][:-1]) % 3 for document in corpus.documents)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ('He said: "No." Then 3.5 m!\nEnd', ('He said: "No." ', "Then 3.5 m! ", "End ")),
        ("他说：“好。”然后走了！完", ("他说：“好。”", "然后走了！", "完")),
        ("  \n\n ", ()),
    ],
)
def test_sentences_end_with_their_own_separator(text, sentences):
    assert split_sentences(text) == sentences


def test_errors_name_the_source(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"txt": "x"}', encoding="utf-8")
    (tmp_path / "a.csv").write_text("x", encoding="utf-8")
    (tmp_path / "one.txt").write_text("One.", encoding="utf-8")
    for name, message in [("a.jsonl", r"a\.jsonl:1: no field 'text'"), ("a.csv", "unknown kind")]:
        with pytest.raises(DataError, match=message):
            read_documents(str(tmp_path / name), "train", 1, seed=1)
    with pytest.raises(DataError, match=r"one\.txt: no documents for"):
        for split in ("train", "val"):
            read_documents(str(tmp_path / "one.txt"), split, 1, seed=1)


@pytest.mark.skipif(not SHARED.is_dir(), reason="real data files are not beside the repository")
def test_real_text_is_read():
    documents = read_documents(str(SHARED / "wikitext2_valid.txt.xz"), "train", 50, seed=1).documents
    assert len(documents) == 50
    assert max(map(len, documents)) > 3
