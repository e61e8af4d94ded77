"""Attention between questions, on hand-set attention and on tiny encoders."""

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer, T5Config, T5Model

from pmind.dependencies.encoder import confidences, load_encoder, propose_by_attention, summarise
from pmind.errors import ModelError, ParamsError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "who", "where", "when", "he", "painted", "was", "it", "?"]
QUESTIONS = ["who painted it ?", "where was he ?", "when ?"]


def owners_of(lengths):
    """[CLS] q q [SEP] q [SEP] …"""
    owners = [-1]
    for question, length in enumerate(lengths):
        owners += [question] * length + [-1]
    return torch.tensor(owners)


def attention_with(link, lengths, strength, heads=2):
    """Even attention, but question link[0] puts STRENGTH on link[1]'s tokens."""
    owners = owners_of(lengths)
    attention = torch.full((heads, len(owners), len(owners)), 1 / len(owners))
    reader, read = owners == link[0], owners == link[1]
    attention[:, reader] = (1 - strength) / (~read).sum()
    attention[:, reader[:, None] & read[None, :]] = strength / read.sum()
    assert torch.allclose(attention.sum(-1), torch.ones(heads, len(owners)))
    return attention, owners


@pytest.mark.parametrize("lengths", [[3, 3, 3], [2, 9, 4], [7, 1, 1, 5, 12, 2]])
@pytest.mark.parametrize("summary", ["mean", "max", "last"])
def test_a_planted_link_is_found_and_no_other(lengths, summary):
    attention, owners = attention_with((2, 0), lengths, strength=0.9)
    found = confidences(summarise([attention], owners, summary), owners)
    assert (found >= 0.6).nonzero().tolist() == [[2, 0]]  # the row reads, the column is read


@pytest.mark.parametrize("lengths", [[3, 3], [2, 9, 4], [7, 1, 1, 5, 12, 2]])
def test_even_attention_is_a_half_whatever_number_and_length(lengths):
    attention, owners = attention_with((0, 1), lengths, strength=0.0)
    attention[:] = 1 / len(owners)
    found = confidences(summarise([attention], owners, "mean"), owners)
    expected = torch.full_like(found, 0.5).fill_diagonal_(0)
    torch.testing.assert_close(found, expected)


def test_attention_on_separators_and_on_oneself_drops_out():
    attention, owners = attention_with((2, 0), [2, 4, 3], strength=0.3)
    plain = confidences(summarise([attention], owners, "mean"), owners)
    soaked = attention * 0.1
    soaked[:, :, owners == -1] += 0.9 / (owners == -1).sum()
    torch.testing.assert_close(confidences(summarise([soaked], owners, "mean"), owners), plain)


def test_questions_that_read_nothing_of_each_other_have_no_confidence():
    owners = owners_of([1, 1])
    assert confidences(summarise([torch.eye(5)[None]], owners, "mean"), owners).tolist() == [[0, 0], [0, 0]]


def test_summaries_differ_as_they_say():
    strong, owners = attention_with((0, 1), [1, 1], strength=1.0, heads=1)
    weak, _ = attention_with((0, 1), [1, 1], strength=0.2, heads=1)
    read = [summarise([strong, weak], owners, summary)[0, 1].item() for summary in ("mean", "max", "last")]
    assert read == pytest.approx([0.6, 1.0, 0.2])


def test_what_is_read_is_the_mean_over_the_readers_tokens_of_the_mass_on_the_others():
    attention = torch.tensor([[[0.1, 0.2, 0.7], [0.3, 0.3, 0.4], [0.5, 0.4, 0.1]]])
    read = summarise([attention], torch.tensor([0, 0, 1]), "mean")
    torch.testing.assert_close(read, torch.tensor([[(0.3 + 0.6) / 2, (0.7 + 0.4) / 2], [0.9, 0.1]]))


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    config = BertConfig(vocab_size=len(WORDS), max_position_embeddings=32, initializer_range=0.5, **shape)
    BertModel(config).save_pretrained(folder)
    return folder


def test_an_encoder_folder_proposes_by_its_own_attention(bert):
    encoder = load_encoder(bert)
    text = "[CLS] who painted it ? [SEP] where was he ? [SEP] when ? [SEP]"
    inputs = encoder.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        layers = encoder.model(input_ids=inputs, output_attentions=True).attentions
    owners = owners_of([4, 4, 2])
    expected = confidences(summarise([layer[0] for layer in layers], owners, "mean"), owners)
    edges = propose_by_attention(encoder, QUESTIONS, threshold=0.0)
    assert len(edges) == 6
    for edge in edges:
        assert edge.confidence == pytest.approx(expected[edge.target, edge.source].item(), abs=1e-6)


def test_the_threshold_drops_candidates(bert):
    encoder = load_encoder(bert)
    every = propose_by_attention(encoder, QUESTIONS, threshold=0.0)
    middle = sorted(edge.confidence for edge in every)[3]
    assert propose_by_attention(encoder, QUESTIONS, threshold=middle) == [
        edge for edge in every if edge.confidence >= middle
    ]


def test_questions_are_cut_to_a_number_of_tokens_and_to_the_models_positions(bert):
    encoder = load_encoder(bert)
    cut = propose_by_attention(encoder, ["who painted it ?", "where was"], threshold=0, question_tokens=2)
    assert cut == propose_by_attention(encoder, ["who painted", "where was"], threshold=0)
    many = ["who painted it ?"] * 10  # 51 tokens, 32 positions: two of each question
    assert len(propose_by_attention(encoder, many, threshold=0)) == 90
    with pytest.raises(ModelError, match="40 questions do not fit into 32 tokens"):
        propose_by_attention(encoder, ["who"] * 40)


def test_one_question_needs_nobody(bert):
    assert propose_by_attention(load_encoder(bert), ["who"]) == []


def test_bad_arguments_are_named(bert):
    encoder = load_encoder(bert)
    with pytest.raises(ParamsError, match="unknown summary of the attention 'median'"):
        propose_by_attention(encoder, QUESTIONS, summary="median")
    with pytest.raises(ParamsError, match="between 0 and 1, not 2"):
        propose_by_attention(encoder, QUESTIONS, threshold=2)
    with pytest.raises(ParamsError, match="question 2 has no tokens"):
        propose_by_attention(encoder, ["who", " "])


def test_what_is_no_encoder_is_named(tmp_path, bert):
    with pytest.raises(ModelError, match="no config"):
        load_encoder(tmp_path)
    T5Model(T5Config(vocab_size=16, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)).save_pretrained(tmp_path)
    load_encoder(bert).tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="a decoder beside it"):
        load_encoder(tmp_path)


def test_a_decoder_reads_earlier_questions_only(stories_path):
    edges = propose_by_attention(load_encoder(stories_path), ["Who is Lily?", "Is she happy?", "Why?"], threshold=0.01)
    assert {edge.ends for edge in edges} == {(0, 1), (0, 2), (1, 2)}
