import sys

import pytest

from pmind.errors import DataError
from pmind.evaluation.metrics import overlap
from pmind.evaluation.metrics.overlap import bleu4, corpus_bleu4, rouge, rouge_segmentation

WAY_OUT = "pip install 'pmind[scores]'"


@pytest.fixture
def sacrebleu():
    return pytest.importorskip("sacrebleu", reason=f"sacrebleu is not installed: {WAY_OUT}")


@pytest.fixture
def rouge_score():
    return pytest.importorskip("rouge_score", reason=f"rouge-score is not installed: {WAY_OUT}")


@pytest.fixture
def jieba(rouge_score):
    return pytest.importorskip("jieba", reason=f"jieba is not installed: {WAY_OUT}")


def test_bleu_of_a_chinese_answer_by_hand(sacrebleu):
    """高血压病 against 高血压: 3/4 characters, 2/3 pairs, 1/2 triples, and 0/1 fours smoothed to 1/2."""
    assert bleu4("高血压病", ["高血压"], "zh") == pytest.approx((3 / 4 * 2 / 3 * 1 / 2 * 1 / 2) ** 0.25)
    assert bleu4("高血压病", ["高血压"], "en") == 0  # one token for each text


def test_bleu_of_a_short_answer_has_effective_order(sacrebleu):
    assert bleu4("red door", ["red door"], "en") == pytest.approx(1)
    assert corpus_bleu4(["red door"], [["red door"]], "en") == 0
    assert bleu4("red door", ["the red door"], "en") == pytest.approx(2.718281828459045 ** (1 - 3 / 2))  # too short
    assert bleu4("", ["red door"], "en") == 0


def test_bleu_takes_all_references_at_once(sacrebleu):
    references = ["the cat sat there on it", "a dog lay on the mat today"]
    both = bleu4("the cat sat on the mat today", references, "en")
    assert both > max(bleu4("the cat sat on the mat today", [reference], "en") for reference in references)


def test_the_corpus_is_not_the_mean_of_its_sentences(sacrebleu):
    answers = ["the cat sat on the mat", "a dog ran in the park today"]
    references = [["the cat sat on a mat", "the cat sat on the mat"], ["a dog walks in the park today"]]
    expected = sacrebleu.corpus_bleu(answers, [[texts[0] for texts in references], [references[0][1], ""]]).score
    assert corpus_bleu4(answers, references, "en") == pytest.approx(expected / 100)
    mean = sum(bleu4(*pair, "en") for pair in zip(answers, references, strict=True)) / 2
    assert corpus_bleu4(answers, references, "en") != pytest.approx(mean, abs=0.01)


def test_corpus_bleu_of_chinese_is_by_characters(sacrebleu):
    answers, references = ["患者有高血压病史"], [["病人有高血压病史"]]
    expected = sacrebleu.corpus_bleu(answers, references, tokenize="zh").score / 100
    assert 0.5 < expected < 1
    assert corpus_bleu4(answers, references, "zh") == pytest.approx(expected)


def test_blank_references_do_not_count(sacrebleu):
    assert bleu4("red door", ["", "red door"], "en") == pytest.approx(1)
    for references in ([], [""], [" "]):
        with pytest.raises(DataError, match="question 0 has no reference"):
            bleu4("red door", references, "en")
    with pytest.raises(DataError, match="question 1 has no reference"):
        corpus_bleu4(["x", "y"], [["x"], [""]], "en")


@pytest.mark.parametrize(("answers", "references"), [([], []), (["x"], [])])
def test_every_question_needs_an_answer(answers, references):
    with pytest.raises(DataError, match="each question needs one"):
        corpus_bleu4(answers, references, "en")


def test_rouge_of_a_chinese_answer_by_hand(rouge_score):
    scores = rouge("高血压病", ["高血压"], "zh")
    assert scores == {
        "rouge1": pytest.approx(6 / 7),
        "rouge2": pytest.approx(4 / 5),
        "rougeL": pytest.approx(6 / 7),
    }
    assert rouge("压血高", ["高血压"], "zh") == {"rouge1": 1, "rouge2": 0, "rougeL": pytest.approx(1 / 3)}
    assert rouge("高血压病", ["高血压"], "en") == {"rouge1": 0, "rouge2": 0, "rougeL": 0}  # it drops what is not Latin


def test_rouge_of_an_english_answer_by_hand(rouge_score):
    scores = rouge("The red door!", ["a red, red door"], "en")
    assert scores == {"rouge1": pytest.approx(4 / 7), "rouge2": pytest.approx(2 / 5), "rougeL": pytest.approx(4 / 7)}


def test_rouge_takes_the_best_reference_for_each_measure(rouge_score):
    scores = rouge("a b c d", ["d c b a", "a b x y z"], "en")
    assert scores["rouge1"] == 1
    assert scores["rouge2"] == pytest.approx(2 * (1 / 3) * (1 / 4) / (1 / 3 + 1 / 4))
    assert rouge("", ["a"], "en") == rouge("a", [""], "en") == {"rouge1": 0, "rouge2": 0, "rougeL": 0}
    with pytest.raises(DataError, match="no reference"):
        rouge("a", [], "en")


def test_full_width_and_mixed_text_by_characters(rouge_score):
    assert rouge("口服ＡＢＣ片，１００ mg", ["口服abc片 100 MG。"], "zh")["rouge2"] == 1


def test_words_by_jieba_are_another_measure(jieba):
    answer, reference = "患者有高血压病史，服用阿司匹林。", ["病人有高血压，服用过阿司匹林"]
    words, characters = (rouge(answer, reference, "zh", way)["rouge1"] for way in ("jieba", "characters"))
    assert 0 < words < characters < 1
    assert rouge(answer, [answer], "zh", "jieba")["rouge2"] == 1
    tokens = overlap.JiebaWords().tokenize(answer)
    assert "高血压" in tokens and "".join(tokens) == "患者有高血压病史服用阿司匹林"


def test_an_unknown_segmentation_is_refused():
    with pytest.raises(DataError, match="no segmentation 'words'"):
        rouge_segmentation("zh", "words")


@pytest.mark.parametrize(
    ("module", "score"),
    [
        ("sacrebleu.metrics", lambda: bleu4("x", ["x"], "en")),
        ("sacrebleu.metrics", lambda: corpus_bleu4(["x"], [["x"]], "en")),
        ("rouge_score.rouge_scorer", lambda: rouge("x", ["x"], "en")),
        ("jieba", lambda: overlap.JiebaWords().tokenize("x")),
    ],
)
def test_a_missing_package_says_how_to_get_it(monkeypatch, module, score):
    monkeypatch.setitem(sys.modules, module, None)
    for made in (overlap._bleu, overlap._rouge_scorer, overlap._jieba):
        made.cache_clear()
    with pytest.raises(DataError, match=r"pip install 'pmind\[scores\]'"):
        score()
