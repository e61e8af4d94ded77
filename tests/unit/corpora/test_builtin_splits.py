"""The built-in worlds share nothing between splits, and passages cannot be done without."""

import re
from collections import Counter
from itertools import combinations

import pytest

from pmind.corpora.builtin_medical import KINDS as MEDICAL
from pmind.corpora.builtin_medical import clin_task, exam_task
from pmind.corpora.builtin_reading import KINDS as READING
from pmind.corpora.builtin_reading import reading_task
from pmind.corpora.builtin_text import text_documents
from pmind.corpora.facts import values_of

SPLITS = ("train", "val", "test")
SIZES = {"train": 800, "val": 120, "test": 120}
ENGLISH_KEYS = {key for kind in READING for key in kind.keys}
CHINESE_KEYS = {key for kind in MEDICAL for key in kind.keys}
ENGLISH_FACT = re.compile(rf"\b({'|'.join(ENGLISH_KEYS)}) ([A-Z]\w*)")
CHINESE_FACT = re.compile(
    rf"({'|'.join(CHINESE_KEYS)})({'|'.join(sorted((v for k in MEDICAL for v in k.values), key=len, reverse=True))})"
)


@pytest.fixture(scope="module", params=["reading", "exam", "clin"])
def task(request):
    """Per split: list of (document, context, [(question, answer), …])."""
    make = {"reading": _reading, "exam": _exam, "clin": _clin}[request.param]
    return {split: make(split) for split in SPLITS}


def _reading(split):
    return [
        (article["title"], p["context"], [(q["question"], q["answers"][0]["text"]) for q in p["qas"]])
        for article in reading_task(split, SIZES[split], seed=1)["data"]
        for p in article["paragraphs"]
    ]


def _exam(split):
    cases = {}
    for item in exam_task(split, SIZES[split], seed=1):
        pair = (item["question"], item["option"][item["answer"]])
        cases.setdefault((item["case"], item["background"]), []).append(pair)
    return [(*head, pairs) for head, pairs in cases.items()]


def _clin(split):
    return [
        (case["title"], case["description"], [(pair["question"], pair["answer"]) for pair in case["QA_pairs"]])
        for case in clin_task(split, SIZES[split], seed=1)
    ]


def facts_in(text):
    return set(ENGLISH_FACT.findall(text)) | set(CHINESE_FACT.findall(text))


def facts_of(passages):
    return {fact for _, context, _ in passages for fact in facts_in(context)}


def apart(one, other):
    assert one
    assert other
    return one.isdisjoint(other)


def subject_values(passages):
    return {(document, value) for document, context, _ in passages for _, value in facts_in(context)}


def test_splits_share_no_document_passage_combination_or_question_with_its_answer(task):
    views = {
        "document": lambda passages: {document for document, _, _ in passages},
        "passage": lambda passages: {context for _, context, _ in passages},
        "combination of a subject with a value": subject_values,
        "combination of a passage's values": lambda passages: {frozenset(facts_in(text)) for _, text, _ in passages},
        "question and answer": lambda passages: {pair for _, _, pairs in passages for pair in pairs},
    }
    for name, view in views.items():
        for one, other in combinations(SPLITS, 2):
            assert apart(view(task[one]), view(task[other])), f"{one} and {other} share a {name}"


def test_pretraining_text_shares_nothing_with_test_nor_its_validation_part(task):
    texts = {split: ["".join(document) for document in text_documents(split, 1200, seed=1)] for split in SPLITS}
    stated = {split: {frozenset(facts_in(text)) for text in texts[split]} for split in SPLITS}
    assert apart(stated["train"], stated["val"])
    assert apart(stated["train"] | stated["val"], {frozenset(facts_in(text)) for _, text, _ in task["test"]})
    everything = "\n".join(texts["train"] + texts["val"])
    assert not [document for document, _, _ in task["test"] if document in everything]


def test_exam_and_clinical_cases_share_no_patient():
    for split in SPLITS:
        assert apart({document for document, _, _ in _exam(split)}, {document for document, _, _ in _clin(split)})


def test_every_passage_states_eight_facts_with_the_value_right_after_its_key(task):
    keys = ENGLISH_KEYS | CHINESE_KEYS
    for document, context, _ in task["test"] + task["val"]:
        assert len(facts_in(context)) == 8
        assert document in context
        words = re.findall(r"\w+", context) if context.isascii() else [context]
        assert sum(text.count(key) for key in keys for text in words if key == text or not text.isascii()) == 8


def test_questions_name_key_and_document_and_their_answer_follows_the_key(task):
    for document, context, pairs in task["test"]:
        assert 3 <= len(pairs) <= 10
        assert len({question for question, _ in pairs}) == len(pairs)
        facts = dict(facts_in(context))
        for question, answer in pairs:
            assert document in question
            assert [facts[key] for key in facts if key in re.findall(r"\w+", question) or f"的{key}" in question] == [
                answer
            ]


def test_a_document_has_twins_that_answer_the_same_questions_differently(task):
    for split in SPLITS:
        twins = {}
        for document, _, pairs in task[split]:
            twins.setdefault((document, tuple(question for question, _ in pairs)), []).append(pairs)
        for same in twins.values():
            assert len(same) == 2
            assert all(one != other for one, other in zip(*same, strict=True))


def test_answer_starts_point_at_the_answers():
    for article in reading_task("test", 40, seed=3)["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                (answer,) = question["answers"]
                assert paragraph["context"][answer["answer_start"] :].startswith(answer["text"])


def test_options_hold_the_twins_answer_and_no_letter_is_favoured():
    items = exam_task("test", 800, seed=1)
    twins = {}
    for item in items:
        twins.setdefault((item["case"], item["question"]), []).append(item)
    for pair in twins.values():
        one, other = pair[:2]
        assert set(one["option"].values()) == set(other["option"].values())
        assert one["option"][one["answer"]] != other["option"][other["answer"]]
    letters = Counter(item["answer"] for item in items)
    assert all(abs(letters[letter] / len(items) - 0.2) < 0.03 for letter in "ABCDE")


def test_the_most_frequent_answer_is_no_good_guess(task):
    answers = Counter(answer for _, _, pairs in task["test"] for _, answer in pairs)
    assert answers.most_common(1)[0][1] < 0.04 * answers.total()


@pytest.mark.parametrize("kinds", [READING, MEDICAL], ids=["reading", "medical"])
def test_vocabulary_has_one_meaning_a_word_and_pools_large_enough_for_five_options(kinds):
    keys = [key for kind in kinds for key in kind.keys]
    values = [value for kind in kinds for value in kind.values]
    assert len(keys) == len(set(keys)) >= 15
    assert len(values) == len(set(values))
    assert not [
        value for value in values if any(key in value.lower() for key in keys if len(key) > 3 or kinds is MEDICAL)
    ]
    for kind in kinds:
        lots = [values_of(kind, key) for key in kind.keys]
        assert min(map(len, lots)) >= 18
        assert sorted(value for lot in lots for value in lot) == sorted(kind.values)


def test_default_test_splits_are_large_enough():
    assert sum(len(p["qas"]) for article in reading_task("test", 120, 1)["data"] for p in article["paragraphs"]) >= 500
    assert len(exam_task("test", 100, 1)) >= 500
