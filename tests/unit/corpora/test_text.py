import json
from pathlib import Path

import pytest

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
    for document in read_documents("builtin", "train", 40, seed=1):
        assert len(document) == 9
        assert all(sentence.endswith((". ", "。")) and sentence[0] != " " for sentence in document)


def test_files_of_both_kinds_give_the_same_documents_and_train_and_val_share_none(sources):
    for source in sources:
        train, val = (read_documents(source, split, 1000, seed=1) for split in ("train", "val"))
        assert len(train) > 150
        assert val
        assert sorted("".join(document).rstrip() for document in train + val) == sorted(PARAGRAPHS)


def test_the_seed_samples_but_never_moves_a_document_between_splits(sources):
    val = set(read_documents(sources[0], "val", 1000, seed=1))
    samples = [read_documents(sources[0], "train", 20, seed) for seed in (1, 1, 2)]
    assert samples[0] == samples[1] != samples[2]
    assert len(samples[0]) == 20
    assert val.isdisjoint(samples[0] + samples[2])


def test_a_repeated_document_is_read_once(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n\n".join(["Same."] * 3 + PARAGRAPHS), encoding="utf-8")
    documents = [document for split in ("train", "val") for document in read_documents(str(path), split, 1000, 1)]
    assert len(documents) == 201


def test_hub_texts_are_streamed_only_as_far_as_needed(monkeypatch):
    read = []

    def stream(*_, **options):
        assert options == {"split": "train", "streaming": True}
        for number in range(10_000):
            read.append(number)
            yield {"text": f"Document {number}."}

    monkeypatch.setattr("datasets.load_dataset", stream)
    assert len(read_documents("owner/texts", "train", 10, seed=1)) == 10
    assert len(read) < 30


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
    documents = read_documents(str(SHARED / "wikitext2_valid.txt.xz"), "train", 50, seed=1)
    assert len(documents) == 50
    assert max(map(len, documents)) > 3
