import json
import re

import pytest

from pmind.errors import DataError
from pmind.evaluation.metrics.cmrc import cmrc_exact, cmrc_f1, longest_common_run, segments
from tests.unit.evaluation.metrics import official

nltk = pytest.importorskip("nltk", reason="nltk is not installed: pip install 'pmind[scores]'")


def one_sentence(text):
    return nltk.word_tokenize(text, preserve_line=True)


def real_questions(text):
    return list(official.questions_of(json.loads(text)["data"]))


def test_scores_are_the_official_ones_on_real_answers(read_real):
    golds = [
        [answer["text"] for answer in q["answers"]] for q in real_questions(read_real("cmrc2018/cmrc2018_dev.json.xz"))
    ]
    others = dict(zip(map(id, golds), golds[1:] + golds[:1], strict=True))
    mixed = [own for own in golds if re.search("[A-Za-z]{2}", own[0])]
    assert len(mixed) > 100
    for own in [*golds[::80], *mixed[::8]]:
        other, last = others[id(own)], own[-1]
        for prediction in (last, other[0], last[: len(last) // 2], f"答案是“{last}”。", last[::-1], ""):
            exact, f1 = official.cmrc(prediction, own, one_sentence)
            assert cmrc_exact(prediction, own) == exact, (prediction, own)
            assert cmrc_f1(prediction, own) == pytest.approx(f1, abs=1e-12), (prediction, own)


@pytest.mark.parametrize(
    ("prediction", "reference", "exact", "f1"),
    [
        ("《红楼梦》", "红楼梦。", 1, 1),
        ("红楼梦.", "红楼梦", 0, 6 / 7),  # the ASCII full stop is none of their marks
        ("红楼梦…", "红楼梦", 0, 6 / 7),  # nor is the ellipsis, listed as two characters
        ("梦楼红", "红楼梦", 0, 1 / 3),  # a run, not a bag
        ("红学梦", "红楼梦", 0, 1 / 3),  # nor a subsequence
        ("Deep Blue计算机", "deep blue", 0, 4 / 7),
        ("1997-07-01", "19970701", 1, 1),
        ("", "红", 0, 0),
        ("", "", 1, 0),
    ],
)
def test_cases_worked_out_by_hand(prediction, reference, exact, f1):
    assert cmrc_exact(prediction, [reference]) == exact
    assert cmrc_f1(prediction, [reference]) == pytest.approx(f1)


def test_words_between_characters_are_tokens():
    assert segments("龦龧") == ["龦龧"]  # the evaluator's range ends at U+9FA5
    assert segments("他用PCR检测，can't 说3.5mg") == ["他", "用", "pcr", "检", "测", "ca", "n't", "说", "3.5mg"]


def test_the_run_is_the_longest():
    assert longest_common_run("abcabcd", "xabcdx") == official.longest_shared("abcabcd", "xabcdx") == 4


def test_the_best_reference_counts_and_one_is_needed():
    assert cmrc_f1("红楼梦", ["西游记", "红楼梦"]) == cmrc_exact("红楼梦", ["西游记", "红楼梦"]) == 1
    for score in (cmrc_exact, cmrc_f1):
        with pytest.raises(DataError, match="no reference"):
            score("x", [])
