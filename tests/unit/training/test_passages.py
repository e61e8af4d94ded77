import json
from dataclasses import replace

import pytest

from pmind.corpora.builtin_text import text_documents
from pmind.corpora.tokenizer import train_tokenizer
from pmind.params import TextParams
from pmind.training import passages as module
from pmind.training.passages import cut_passages, encoder, read_passages

LONG = ("one two ", "three ", "four five six ", "seven eight nine ten eleven ", "twelve ")
DOCUMENTS = [LONG, ("a b ", "c "), ("d ",)]
NUMBERS: dict[str, int] = {}


def encode(texts):
    """Words as tokens, numbered as they come."""
    return [[NUMBERS.setdefault(word, len(NUMBERS)) for word in text.split()] for text in texts]


def words(ids):
    return " ".join(list(NUMBERS)[token] for token in ids)


def test_documents_are_cut_between_sentences_and_never_share_a_passage():
    passages = cut_passages(DOCUMENTS, encode, 4)
    assert passages.sentences == [
        ("one two ", "three "),
        ("four five six ",),
        ("seven eight nine ten eleven ",),
        ("twelve ",),
        ("a b ", "c "),
        ("d ",),
    ]
    texts = [passages.text(number) for number in range(len(passages))]
    assert [words(text.ids) for text in texts] == [
        "one two three", "four five six", "seven eight nine ten", "twelve", "a b c", "d",
    ]  # fmt: skip
    assert [text.complete for text in texts] == [True, True, False, True, True, True]
    assert [passages.length(number) for number in range(len(passages))] == [3, 3, 4, 1, 3, 1]


def test_passages_know_their_document():
    passages = cut_passages(DOCUMENTS, encode, 4)
    ranges = [passages.document_of(number) for number in range(len(passages))]
    assert ranges == [range(4)] * 4 + [range(4, 5), range(5, 6)]


def test_counts_say_what_is_there_and_what_was_cut():
    assert cut_passages(DOCUMENTS, encode, 2).counts() == {
        "documents": 3,
        "documents_left_out": 0,
        "passages": 8,
        "text_tokens": 12,
        "texts_cut": 2,
        "tokens_cut": 4,
    }


def test_batches_of_documents_change_nothing(monkeypatch):
    whole = cut_passages(DOCUMENTS, encode, 4)
    monkeypatch.setattr(module, "DOCUMENTS", 2)
    assert cut_passages(DOCUMENTS, encode, 4) == whole


def test_digests_tell_texts_and_documents_apart():
    passages = cut_passages(DOCUMENTS, encode, 4)
    assert passages.digest() == cut_passages(DOCUMENTS, encode, 4).digest()
    others = [
        cut_passages(DOCUMENTS, encode, 5),
        cut_passages([(*LONG, "a b ", "c "), ("d ",)], encode, 4),  # the same tokens where a document went on
        replace(passages, sentences=[("three ", "one two "), *passages.sentences[1:]]),
    ]
    assert len({passages.digest(), *(other.digest() for other in others)}) == 4


def test_a_passage_is_tokenised_as_decoding_would():
    documents = text_documents("train", 60, 1)
    tokenizer = train_tokenizer(map("".join, documents), 400)
    passages = cut_passages(documents, encoder(tokenizer), 40)
    assert len(passages) > 60
    for number, sentences in enumerate(passages.sentences):
        expected = tokenizer("".join(sentences).rstrip(), add_special_tokens=False)["input_ids"]
        assert passages.text(number).ids == expected[:40]


@pytest.fixture
def text(tmp_path):
    lines = [json.dumps({"title": f"Town_{n % 4}", "text": f"Town {n} has a mill."}) for n in range(200)]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "squad.json").write_text(json.dumps({"data": [{"title": "Town 3"}]}), encoding="utf-8")
    return TextParams(str(tmp_path / "texts.jsonl"), 1000, 3, str(tmp_path / "squad.json"))


def test_a_split_is_read_without_the_articles_of_the_questions(text):
    train, val = (read_passages(text, split, 1, encode, 8) for split in ("train", "val"))
    assert all(int(words(train.text(number).ids).split()[1]) % 4 != 3 for number in range(len(train)))
    assert len(val) == 3
    everything = read_passages(replace(text, without=""), "train", 1, encode, 8)
    assert train.counts()["documents_left_out"] == train.left_out == len(everything) - len(train) > 30
