import pytest
from transformers import AutoTokenizer

from pmind.corpora.builtin_text import text_documents
from pmind.corpora.tokenizer import token_counter, train_tokenizer
from pmind.errors import DataError

TEXTS = ["".join(document) for document in text_documents("train", 300, seed=1)]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS, 900)


def ids(tokenizer, text):
    return tokenizer(text)["input_ids"]


@pytest.mark.parametrize(
    "text", ["", " a  b\n\n\tdon't , x !", "诊断肺炎。 mixed 中文 ,x", "😀 \x00 ‮ é", "<|end|>", "  "]
)
def test_texts_come_back_unchanged(tokenizer, text):
    assert tokenizer.decode(ids(tokenizer, text)) == text


def test_special_tokens_and_no_bos(tokenizer):
    assert (tokenizer.pad_token, tokenizer.eos_token, tokenizer.bos_token) == ("<|pad|>", "<|end|>", None)
    assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1)
    assert len(tokenizer) == 900
    assert tokenizer.eos_token_id not in ids(tokenizer, "no end is added")


def test_a_chinese_term_has_the_same_tokens_in_a_passage_and_as_an_answer(tokenizer):
    blank, *term = ids(tokenizer, " 肺炎")
    assert blank == ids(tokenizer, " ")[0]
    assert ids(tokenizer, "诊断肺炎。") == ids(tokenizer, "诊断") + term + ids(tokenizer, "。")


def test_the_same_texts_give_the_same_tokenizer_and_it_survives_a_folder(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    again = train_tokenizer(TEXTS, 900)
    for other in (loaded, again):
        assert other.get_vocab() == tokenizer.get_vocab()
        assert ids(other, TEXTS[0] + TEXTS[1]) == ids(tokenizer, TEXTS[0] + TEXTS[1])
    assert loaded.decode(ids(loaded, "a , b !")) == "a , b !"
    assert loaded.eos_token_id == tokenizer.eos_token_id


def test_few_texts_give_fewer_tokens():
    assert 258 <= len(train_tokenizer(["abc"], 2048)) < 300


def test_too_small_a_vocabulary_is_an_error():
    with pytest.raises(DataError, match="258"):
        train_tokenizer(TEXTS, 257)


def test_token_counter_counts_the_text_alone(tokenizer):
    assert token_counter(tokenizer)("诊断") == 2
