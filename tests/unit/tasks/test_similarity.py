import json
import lzma
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from pmind.errors import ModelError, ParamsError
from pmind.tasks import similarity
from pmind.tasks.similarity import encoder, pick, similar_batches, tfidf

HOTPOT = Path(__file__).resolve().parents[4] / "shared" / "data" / "hotpotqa" / "hotpot_dev_v1_simplified.json.xz"
QUESTIONS = [
    "Who painted the picture Rain?",
    "When was the bridge of Torvale built?",
    "Who painted the picture Snow?",
    "患者的诊断是什么？",
    "When was the bridge of Torvale built?",
    "患者最可能的诊断是什么？",
    "How tall is the tower?",
]


def points(count, seed=0):
    """Directions in a plane, so that some are near each other."""
    angles = np.random.default_rng(seed).uniform(0, 2 * np.pi, count)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32) * 3  # not of length 1


def batches_of(vectors, seed=0, threshold=0.9, most=4):
    texts = [str(index) for index in range(vectors.shape[0])]
    return similar_batches(texts, threshold=threshold, most=most, embed=lambda _: vectors, seed=seed)


def plain(vectors, seed, threshold, most):
    """The same rule, one pair at a time."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    free = random.Random(f"similar/{seed}").sample(range(len(vectors)), len(vectors))
    batches = []
    while free:
        leader, *others = free
        near = sorted(
            (index for index in others if unit[leader] @ unit[index] >= threshold),
            key=lambda i: -(unit[leader] @ unit[i]),
        )
        batches.append([leader, *near[: most - 1]])
        free = [index for index in free if index not in batches[-1]]
    return batches


@given(
    count=st.integers(1, 40),
    seed=st.integers(0, 9),
    threshold=st.sampled_from([-1.0, 0.0, 0.5, 0.95]),
    most=st.integers(1, 9),
)
def test_batches_are_those_of_the_plain_rule(count, seed, threshold, most):
    vectors = points(count, seed)
    found = batches_of(vectors, seed, threshold, most)
    assert found == plain(vectors, seed, threshold, most)
    assert sorted(index for batch in found for index in batch) == list(range(count))
    assert max(map(len, found)) <= most


@pytest.mark.parametrize("block", [1, 2, 7])
def test_blocks_change_nothing_and_bound_what_is_compared_at_once(monkeypatch, block):
    vectors = points(60)
    expected = batches_of(vectors)
    rows, products = [], similarity._products
    monkeypatch.setattr(similarity, "BLOCK", block)
    monkeypatch.setattr(similarity, "_products", lambda some, all_: rows.append(len(some)) or products(some, all_))
    assert batches_of(vectors) == expected
    assert max(rows) <= block
    assert len(expected) < 60


def test_sparse_vectors_give_the_same_batches():
    vectors = points(50)
    assert batches_of(csr_matrix(vectors)) == batches_of(vectors)


def test_a_seed_decides_who_leads():
    vectors = points(50)
    assert batches_of(vectors, seed=1) == batches_of(vectors, seed=1)
    assert batches_of(vectors, seed=1) != batches_of(vectors, seed=2)


def test_at_a_threshold_of_one_only_equal_texts_meet():
    found = similar_batches(QUESTIONS, threshold=1, most=8, embed=tfidf, seed=0)
    assert sorted(map(sorted, found)) == [[0], [1, 4], [2], [3], [5], [6]]


def test_rounding_does_not_part_equal_vectors():
    vectors = np.random.default_rng(0).normal(size=(50, 33)).astype(np.float32)
    found = batches_of(np.concatenate([vectors, vectors]), threshold=1)
    assert sorted(map(sorted, found)) == [[index, index + 50] for index in range(50)]


def test_members_are_near_their_leader_not_near_each_other():
    vectors = np.array([[1, 0], [np.cos(0.4), np.sin(0.4)], [np.cos(0.4), -np.sin(0.4)]], np.float32)
    threshold = np.cos(0.5)
    sizes = {len(batches_of(vectors, seed, threshold)[0]) for seed in range(9)}
    assert sizes == {2, 3}  # all three only where the one in the middle leads


def test_texts_without_a_direction_stay_alone():
    assert sorted(batches_of(np.zeros((3, 2), np.float32), threshold=0.1)) == [[0], [1], [2]]


def test_no_texts_and_no_room():
    assert similar_batches([], threshold=0.5, most=3, embed=tfidf, seed=0) == []
    with pytest.raises(ParamsError, match="at most 0 texts"):
        batches_of(points(3), most=0)


def test_words_and_characters_bring_english_and_chinese_questions_together():
    found = similar_batches(QUESTIONS, threshold=0.5, most=8, embed=pick(""), seed=0)
    assert sorted(map(sorted, found)) == [[0, 2], [1, 4], [3, 5], [6]]


def test_inflected_words_are_alike_and_marks_alone_are_texts_too():
    vectors = tfidf(["directors", "director", "tower", "?", "!", "?"])
    cosines = (vectors @ vectors.T).toarray()
    assert cosines[0, 1] > 0.5
    assert cosines[0, 2] == 0
    assert cosines[3].round(3).tolist() == [0, 0, 0, 1, 0, 1]


@pytest.mark.skipif(not HOTPOT.is_file(), reason="no ../shared/data/hotpotqa beside the repository")
def test_real_questions_come_together_by_topic():
    with lzma.open(HOTPOT, "rt", encoding="utf-8") as file:
        texts = [entry["question"] for entry in json.load(file)[:2000]]
    found = similar_batches(texts, threshold=0.3, most=5, embed=tfidf, seed=0)
    assert sorted(index for batch in found for index in batch) == list(range(2000))
    assert 50 < sum(len(batch) > 1 for batch in found) < 1000
    vectors = tfidf(texts)
    for leader, *members in found:
        assert all((vectors[members] @ vectors[leader].T).toarray().ravel() > 0.299)


WORDS = ["[PAD]", "[UNK]", "who", "painted", "rain", "snow", "built", "bridge", "when", "the"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A random encoder with a tokenizer of whole words."""
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=12,
        initializer_range=0.5,
    )
    BertModel(config).eval().save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    return folder


def test_an_encoder_takes_the_mean_over_a_texts_own_tokens(bert):
    texts = ["when the bridge built", "who painted rain", "snow"]
    found = pick(str(bert))(texts)
    model = BertModel.from_pretrained(bert).eval()
    for text, vector in zip(texts, found, strict=True):
        ids = torch.tensor([[WORDS.index(word) for word in text.split()]])
        with torch.no_grad():
            expected = model(ids).last_hidden_state[0].mean(0)
        np.testing.assert_allclose(vector, expected.numpy(), atol=1e-5)
    assert found.dtype == np.float32


def test_an_encoder_reads_in_batches_and_cuts_long_texts(bert, monkeypatch):
    texts = ["snow", "the " * 40, "who painted rain", "the " * 12, "rain", "when the bridge"]
    found = encoder(bert)(texts)
    monkeypatch.setattr(similarity, "ENCODED", 2)
    np.testing.assert_allclose(encoder(bert)(texts), found, atol=1e-5)
    np.testing.assert_allclose(found[1], found[3], atol=1e-5)  # both fill the model's 12 positions
    assert not np.allclose(found[0], found[4], atol=1e-2)


def test_batches_by_an_encoder(bert):
    texts = ["who painted rain", "when the bridge built", "who painted rain", "snow"]
    found = similar_batches(texts, threshold=0.9999, most=4, embed=encoder(bert), seed=0)
    assert sorted(map(sorted, found)) == [[0, 2], [1], [3]]


def test_what_is_no_encoder_says_so(bert, tmp_path):
    with pytest.raises(ModelError, match="no such folder, and not found on the Hub"):
        pick("gone/encoder")
    with pytest.raises(ModelError, match="not a model folder"):
        encoder(tmp_path)
    for name in ("tokenizer.json", "config.json"):
        (tmp_path / name).write_bytes((bert / name).read_bytes())
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}', encoding="utf-8")
    with pytest.raises(ModelError, match="no padding token"):
        encoder(tmp_path)
    (tmp_path / "tokenizer_config.json").write_bytes((bert / "tokenizer_config.json").read_bytes())
    with pytest.raises(ModelError, match="no usable encoder"):
        encoder(tmp_path)
