from collections import Counter

import pytest

from pmind.corpora.builtin_medical import clin_task, exam_task
from pmind.errors import DataError
from pmind.tasks.cmb import cmb_groups

ITEM = {
    "exam_subject": "内科",
    "question": "诊断是",
    "answer": "B",
    "question_type": "单项选择题",
    "option": {"A": "肺炎", "B": "哮喘", "C": "胃炎", "D": "肝炎", "E": ""},
}
CASE = {
    "id": "0",
    "title": "病例一",
    "description": "诊断肺炎。",
    "QA_pairs": [{"question": "诊断?", "answer": "肺炎"}],
}


def groups_of(items, max_questions=3):
    dropped = Counter()
    return cmb_groups(items, "f.json", dropped, max_questions), dropped


def test_questions_of_one_background_are_a_group():
    items = [
        {**ITEM, "background": "甲"},
        {**ITEM, "background": "乙"},
        {**ITEM, "background": "甲", "question": "治疗是"},
    ]
    groups, dropped = groups_of(items)
    assert [(g.id, g.document, g.context, [q.text for q in g.questions]) for g in groups] == [
        ("exam-0", "甲", "甲", ["诊断是", "治疗是"]),
        ("exam-1", "乙", "乙", ["诊断是"]),
    ]
    question = groups[0].questions[0]
    assert (question.answers, question.options, question.letter) == (("哮喘",), ("肺炎", "哮喘", "胃炎", "肝炎"), "B")
    assert not dropped


def test_backgrounds_of_one_case_are_one_document():
    groups, _ = groups_of([{**ITEM, "background": text, "case": "吕小兰"} for text in "甲乙"])
    assert [group.document for group in groups] == ["吕小兰"] * 2


def test_questions_without_background_are_chunked_by_subject():
    items = [
        {**ITEM, "question": f"问题{n}", "exam_subject": subject} for n in range(4) for subject in ("内科", "外科")
    ]
    groups, _ = groups_of(items)
    assert [(len(g.questions), g.context) for g in groups] == [(3, ""), (1, ""), (3, ""), (1, "")]
    assert len({g.id for g in groups}) == len({g.document for g in groups}) == 4


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"question_type": "多项选择题", "answer": "AB"}, "multiple_answer_questions"),
        ({"answer": "AB"}, "multiple_answer_questions"),
        ({"answer": "E"}, "questions_without_right_option"),
        ({"answer": "F"}, "questions_without_right_option"),
        ({"option": {"B": "哮喘"}}, "questions_without_right_option"),
        ({"question": "诊断是"}, "duplicate_questions"),
    ],
)
def test_what_cannot_be_asked_is_left_out_and_counted(change, reason):
    groups, dropped = groups_of([ITEM, {**ITEM, "question": "治疗是", **change}])
    assert [question.text for group in groups for question in group.questions] == ["诊断是"]
    assert dropped == {reason: 1}


def test_blank_options_do_not_shift_the_right_one():
    ((group,), _) = groups_of([{**ITEM, "option": {"A": " ", "B": "哮喘", "C": None, "D": "胃炎"}}])
    assert group.questions[0].options == ("哮喘", "胃炎")
    assert group.questions[0].correct == 0


def test_clinical_cases_are_groups_of_free_text():
    pairs = [*CASE["QA_pairs"] * 2, {"question": "治疗?", "answer": " "}]
    (group,), dropped = groups_of([{**CASE, "QA_pairs": pairs}])
    assert (group.id, group.document, group.context) == ("clin-0-0", "病例一", "诊断肺炎。")
    assert [(q.text, q.answers, q.options, q.letter) for q in group.questions] == [("诊断?", ("肺炎",), (), None)]
    assert dropped == {"duplicate_questions": 1, "unanswerable_questions": 1}


def without(record, name):
    return {key: value for key, value in record.items() if key != name}


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ({}, r"f\.json: expected a list"),
        ([], r"f\.json: expected a list"),
        ([ITEM, 3], r"f\.json: item 1: expected an object"),
        ([without(ITEM, "answer")], r"f\.json: item 0: no field 'answer'"),
        ([without(ITEM, "option")], r"f\.json: item 0: no field 'option'"),
        ([{**ITEM, "question": ""}], r"f\.json: item 0\.question: is empty"),
        ([{**ITEM, "id": 5}, {**ITEM, "id": 5}], r"f\.json: item 1: id '5' occurs twice"),
        ([CASE, CASE], r"f\.json: item 1: id '0' occurs twice"),
        ([without(CASE, "description")], r"f\.json: item 0: no field 'description'"),
        ([{**CASE, "QA_pairs": [{"question": "x"}]}], r"f\.json: item 0\.QA_pairs\[0\]: no field 'answer'"),
    ],
)
def test_schema_errors_name_file_and_item(items, message):
    with pytest.raises(DataError, match=message):
        groups_of(items)


def test_builtin_tasks_are_valid():
    for items, kind in [(exam_task("test", 12, 1), "exam"), (clin_task("test", 12, 1), "clin")]:
        groups, dropped = groups_of(items)
        assert len(groups) == 12
        assert len({group.document for group in groups}) == 6
        assert not dropped
        ids = [question.id for group in groups for question in group.questions]
        assert len(ids) == len(set(ids))
        assert all(identity.startswith(f"{kind}-test-") for identity in ids)
