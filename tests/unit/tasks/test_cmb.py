import json
import lzma
from pathlib import Path

import pytest

from pmind.corpora.builtin_medical import clin_task, exam_task
from pmind.errors import DataError
from pmind.tasks.cmb import ANSWERS, CMB, CMB_CLIN, CMB_EXAM, clin_groups, cmb_groups, read_cmb
from pmind.tasks.intake import Intake
from pmind.tasks.records import Question

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "cmb"
ITEM = {
    "exam_type": "医师考试",
    "exam_class": "执业医师",
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


def groups_of(items):
    intake = Intake()
    return cmb_groups(items, "f.json", intake), +intake.dropped


def written(path, items):
    path.write_text(json.dumps(items, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def without(record, name):
    return {key: value for key, value in record.items() if key != name}


def test_questions_of_one_background_are_a_group():
    items = [
        {**ITEM, "background": "甲"},
        {**ITEM, "background": "乙"},
        {**ITEM, "background": "甲", "question": "治疗是"},
    ]
    groups, dropped = groups_of(items)
    assert [(g.id, g.document, g.context, [q.text for q in g.questions]) for g in groups] == [
        ("exam-f-0", "甲", "甲", ["诊断是", "治疗是"]),
        ("exam-f-1", "乙", "乙", ["诊断是"]),
    ]
    assert groups[0].questions[0] == Question(
        "exam-f-0", "诊断是", ("哮喘",), ("肺炎", "哮喘", "胃炎", "肝炎"), (1,), category="内科"
    )
    assert not dropped


def test_backgrounds_of_one_case_are_one_document():
    groups, _ = groups_of([{**ITEM, "background": text, "case": "吕小兰"} for text in "甲乙"])
    assert [group.document for group in groups] == ["吕小兰"] * 2


def test_questions_without_background_are_documents_gathered_by_subject():
    items = [
        {**ITEM, "question": f"问题{n}", "exam_subject": subject} for n in range(2) for subject in ("内科", "外科")
    ]
    groups, _ = groups_of(items)
    told = [(g.id, g.document, g.context, [(q.document, q.category) for q in g.questions]) for g in groups]
    assert told == [
        ("exam-f-0", "内科", "", [("exam-f-0", "内科"), ("exam-f-2", "内科")]),
        ("exam-f-1", "外科", "", [("exam-f-1", "外科"), ("exam-f-3", "外科")]),
    ]


def test_groups_by_background_keep_theirs():
    entry = {name: ITEM[name] for name in ("question", "answer", "option")}
    items = [{"background": "甲", "questions": [entry, {**entry, "question": "治疗是"}], "num_questions": 2}]
    (group,), _ = groups_of(items)
    assert (group.id, group.document, group.context) == ("exam-f-0-0", "甲", "甲")
    assert [question.text for question in group.questions] == ["诊断是", "治疗是"]


def test_groups_by_medical_term_have_it_as_category():
    items = [{"medical_term": term, "questions": [{**ITEM, "question": f"{term}是"}]} for term in ("哮喘", "肺炎")]
    groups, _ = groups_of(items)
    assert [(g.document, g.context, g.questions[0].category) for g in groups] == [
        ("哮喘", "", "哮喘"),
        ("肺炎", "", "肺炎"),
    ]
    assert groups[1].questions[0].document == "exam-f-1-0"


@pytest.mark.parametrize("answer", ["BD", "D,B", "B、D"])
def test_several_options_may_be_right(answer):
    (group,), _ = groups_of([{**ITEM, "question_type": "多项选择题", "answer": answer}])
    question = group.questions[0]
    assert (question.correct, question.answers, question.letters) == ((1, 3), ("哮喘", "肝炎"), "BD")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"answer": " "}, "unanswered_questions"),
        ({"answer": "E"}, "questions_without_right_option"),
        ({"answer": "BF"}, "questions_without_right_option"),
        ({"answer": "Bronchitis"}, "questions_without_right_option"),
        ({"option": {"B": "哮喘"}}, "questions_without_right_option"),
        ({"option": dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZ*", "哮喘")}, "questions_without_right_option"),
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
    assert group.questions[0].correct == (0,)


def test_of_equal_options_the_named_one_is_right():
    ((group,), _) = groups_of([{**ITEM, "option": {"A": "哮喘", "B": "哮喘"}}])
    assert group.questions[0].correct == (1,)


def test_clinical_cases_are_groups_of_free_text():
    pairs = [*CASE["QA_pairs"] * 2, {"question": "治疗?", "answer": " "}]
    (group,), dropped = groups_of([{**CASE, "QA_pairs": pairs}])
    assert (group.id, group.document, group.context) == ("clin-0-0", "病例一", "诊断肺炎。")
    assert group.questions == (Question("clin-0-0", "诊断?", ("肺炎",)),)
    assert dropped == {"duplicate_questions": 1, "unanswered_questions": 1}


def test_a_case_without_answers_is_no_group():
    intake = Intake()
    assert clin_groups([{**CASE, "QA_pairs": [{"question": "x", "answer": ""}]}], "f.json", intake) == []
    assert intake.dropped["unanswered_questions"] == 1


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ({}, r"f\.json: expected a list"),
        ([], r"f\.json: expected a list"),
        ([ITEM, 3], r"f\.json: \[1\]: expected an object"),
        ([without(ITEM, "answer")], r"f\.json: \[0\]: no field 'answer'"),
        ([without(ITEM, "option")], r"f\.json: \[0\]: no field 'option'"),
        ([{**ITEM, "question": ""}], r"f\.json: \[0\]\.question: is empty"),
        ([{**ITEM, "id": 5}, {**ITEM, "id": 5}], r"f\.json: \[1\]: id 'exam-5' occurs twice"),
        ([{"background": "甲", "questions": [ITEM, 3]}], r"f\.json: \[0\]\.questions\[1\]: expected an object"),
        ([CASE, CASE], r"f\.json: \[1\]: id 'clin-0' occurs twice"),
        ([CASE, 3], r"f\.json: \[1\]: expected an object"),
        ([without(CASE, "description")], r"f\.json: \[0\]: no field 'description'"),
        ([{**CASE, "QA_pairs": [{"question": "x"}]}], r"f\.json: \[0\]\.QA_pairs\[0\]: no field 'answer'"),
    ],
)
def test_schema_errors_name_file_and_item(items, message):
    with pytest.raises(DataError, match=message):
        groups_of(items)


def test_errors_of_a_file_name_the_line(tmp_path):
    path = written(tmp_path / "CMB-val-merge.json", [ITEM, {**ITEM, "option": "A"}])
    with pytest.raises(DataError, match=r"CMB-val-merge\.json:24: \[1\]\.option: expected an object"):
        read_cmb(path, Intake())


def test_a_truncated_file_and_another_encoding_are_errors(tmp_path):
    path = written(tmp_path / "CMB-val-merge.json", [ITEM])
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(DataError, match=r"CMB-val-merge\.json:\d+: not (valid JSON|UTF-8)"):
        read_cmb(path, Intake())
    path.write_bytes(whole.decode().encode("gb18030"))
    with pytest.raises(DataError, match=r"CMB-val-merge\.json:\d+: not UTF-8"):
        read_cmb(path, Intake())


def test_ids_that_a_file_does_not_give_name_the_file(tmp_path):
    intake = Intake()
    for name in ("CMB-train-merge", "CMB-val-merge"):
        (group,) = CMB_EXAM.read(written(tmp_path / f"{name}.json", [ITEM]), intake)
        assert group.id == f"exam-{name}-0"


def test_test_questions_take_answers_from_the_file_beside(tmp_path):
    asked = [{**without(ITEM, "answer"), "id": n, "question": f"问题{n}"} for n in (1, 2, 3)]
    path = written(tmp_path / "CMB-test-choice-question-merge.json", asked)
    with pytest.raises(DataError, match=rf"its questions have no answers\. Put {ANSWERS} beside it"):
        read_cmb(path, Intake())
    written(tmp_path / ANSWERS, [{"id": 2, "answer": "C"}, {"id": 1, "answer": "AB"}])
    intake = Intake()
    (group,) = read_cmb(path, intake)
    assert [(question.id, question.correct) for question in group.questions] == [("exam-1", (0, 1)), ("exam-2", (2,))]
    assert +intake.dropped == {"unanswered_questions": 1}
    written(tmp_path / ANSWERS, [{"id": 2, "answer": "C"}, {"id": 1}])
    with pytest.raises(DataError, match=rf"{ANSWERS}:6: \[1\]: no field 'answer'"):
        read_cmb(path, Intake())


def test_hub_rows_have_every_letter():
    row = {"background": "甲", "questions": [{**ITEM, "option": {**ITEM["option"], "E": None, "F": None}}]}
    (group,) = CMB.rows([{**row, "num_questions": 1}], "fzkuji/CMB-Exam-Grouped:context train", Intake())
    assert (group.id, len(group.questions[0].options)) == ("exam-train-0-0", 4)
    (group,) = CMB_CLIN.rows([CASE], "FreedomIntelligence/CMB:CMB-Clin test", Intake())
    assert group.id == "clin-0-0"


def test_prompts():
    (group,), _ = groups_of([{**ITEM, "background": "病人咳嗽。"}])
    template, question = CMB_EXAM.template, group.questions[0]
    assert template.render_context(group) + template.render_prompt(question) + template.render_answer(question) == (
        "病人咳嗽。\n以下是中国医学考试的一道选择题，不需要做任何分析和解释，直接输出答案选项。\n诊断是\n"
        "A. 肺炎\nB. 哮喘\nC. 胃炎\nD. 肝炎\n答案：B"
    )
    (group,), _ = groups_of([CASE])
    template, question = CMB_CLIN.template, group.questions[0]
    assert template.render_context(group) + template.render_prompt(question) + template.render_answer(question) == (
        "以下是一位病人的病例：\n诊断肺炎。\n\n问题：诊断?\n答案：肺炎"
    )


def test_builtin_tasks_are_valid():
    for items, kind in [(exam_task("test", 12, 1), "exam"), (clin_task("test", 12, 1), "clin")]:
        groups, dropped = groups_of(items)
        assert len(groups) == 12
        assert len({group.document for group in groups}) == 6
        assert not dropped
        ids = [question.id for group in groups for question in group.questions]
        assert len(ids) == len(set(ids))
        assert all(identity.startswith(f"{kind}-test-") for identity in ids)
        assert not any(question.document for group in groups for question in group.questions)


@pytest.mark.skipif(not DATA.is_dir(), reason="the real CMB file of answers is not here")
def test_the_real_answers_fit_questions_of_their_ids(tmp_path):
    packed = DATA / f"{ANSWERS}.xz"
    answers = json.loads(lzma.decompress(packed.read_bytes()))
    (tmp_path / packed.name).write_bytes(packed.read_bytes())
    option = {letter: f"选项{letter}" for letter in "ABCDEF"}
    asked = [{**without(entry, "answer"), "question": f"问题{entry['id']}", "option": option} for entry in answers]
    intake = Intake()
    groups = read_cmb(written(tmp_path / "CMB-test-choice-question-merge.json", asked), intake)
    questions = [question for group in groups for question in group.questions]
    assert (len(groups), len(questions), len({question.document for question in questions})) == (173, 11200, 11200)
    assert sum(len(question.correct) > 1 for question in questions) == 1165  # 25 of several options have one right
    assert {question.id: question.letters for question in questions} == {
        f"exam-{entry['id']}": "".join(sorted(entry["answer"])) for entry in answers
    }
    assert not +intake.dropped
