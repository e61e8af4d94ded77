import re
import string
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmind.evaluation.text_match import answer_tokens, exact_match, f1


def official_normalize(text):
    """As in SQuAD's evaluate-v1.1.py."""
    text = "".join(character for character in text.lower() if character not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def official_f1(prediction, reference):
    prediction_tokens = official_normalize(prediction).split()
    reference_tokens = official_normalize(reference).split()
    same = sum((Counter(prediction_tokens) & Counter(reference_tokens)).values())
    if same == 0:
        return 0
    precision, recall = same / len(prediction_tokens), same / len(reference_tokens)
    return (2 * precision * recall) / (precision + recall)


WORDS = st.sampled_from(["the", "a", "An", "red", "Red,", "door", "door.", "O'Neil", "U.S.", "—", "“x”", "café", "12%"])
TEXTS = st.lists(WORDS, max_size=6).map(" ".join)


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_english_scores_are_the_official_ones(prediction, references):
    official = [official_normalize(reference) for reference in references]
    assert exact_match(prediction, references) == float(official_normalize(prediction) in official)
    if all(official):  # a reference of articles and punctuation only: we follow v2.0
        assert f1(prediction, references) == max(official_f1(prediction, reference) for reference in references)


@pytest.mark.parametrize(
    ("prediction", "references", "match", "overlap"),
    [
        ("", ["red"], 0, 0),
        ("", ["red", ""], 1, 1),
        ("the", ["a"], 1, 1),
        ("", [], 1, 1),
        (" The.", [], 1, 1),
        ("red", [], 0, 0),
        ("阿司匹林", ["阿司匹林"], 1, 1),
        (" 阿 司匹林。", ["阿司匹林"], 1, 1),
        ("10 mg/天", ["10mg,天"], 0, 0.4),
        ("肺炎", ["肺结核"], 0, 0.4),
        ("(12)", ["12"], 1, 1),
    ],
)
def test_edge_cases(prediction, references, match, overlap):
    assert exact_match(prediction, references) == match
    assert f1(prediction, references) == pytest.approx(overlap)


def test_latin_words_stay_whole_in_chinese_text():
    assert answer_tokens("用CT检查") == ["用", "ct", "检", "查"]
