from pathlib import Path

import pytest

from pmind.errors import DataError
from pmind.tasks.ceval import CEVAL, CEVAL_MEDICAL, CEVAL_ZERO_SHOT, NAMES
from pmind.tasks.intake import Intake

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "ceval"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="real C-Eval files are not here")
ROW = {
    "id": 0,
    "question": "诊断是____",
    "A": "肺炎",
    "B": "哮喘",
    "C": "胃炎",
    "D": "肝炎",
    "answer": "B",
    "explanation": "",
}


def written(folder):
    (folder / "dev").mkdir()
    (folder / "val").mkdir()
    rows = "".join(f"{n},第{n}题____,一,二,三,四,{letter},解释\n" for n, letter in enumerate("ABCDA"))
    header = "id,question,A,B,C,D,answer"
    (folder / "dev/physician_dev.csv").write_text(f"{header},explanation\n{rows}", encoding="utf-8")
    path = folder / "val/physician_val.csv"
    path.write_text(f"{header}\n0,诊断是____,肺炎,哮喘,胃炎,肝炎,B\n", encoding="utf-8")
    return path


def test_prompt_is_that_of_the_authors_code(tmp_path):
    path = written(tmp_path)
    (group,) = CEVAL.read(path, Intake())
    head = "以下是中国关于医师资格考试的单项选择题，请选出其中的正确答案。\n\n"
    shots = "".join(f"第{n}题____\nA. 一\nB. 二\nC. 三\nD. 四\n答案：{letter}\n\n" for n, letter in enumerate("ABCDA"))
    question = group.questions[0]
    assert CEVAL.template.render_context(group) == head + shots
    assert CEVAL.template.render_prompt(question) == "诊断是____\nA. 肺炎\nB. 哮喘\nC. 胃炎\nD. 肝炎\n答案："
    assert CEVAL.template.render_answer(question) == "B"
    (bare,) = CEVAL_ZERO_SHOT.read(path, Intake())
    assert bare.context == head


def test_hub_rows_take_the_subject_from_the_configuration():
    (group,) = CEVAL_ZERO_SHOT.rows([ROW], "ceval/ceval-exam:physician val", Intake())
    assert (group.id, group.document) == ("physician_val-0", "physician")
    assert group.context.startswith("以下是中国关于医师资格考试的")
    (group,) = CEVAL.rows([ROW], "ceval/ceval-exam:physician val", Intake(), examples=[ROW] * 5)
    assert group.context.count("答案：B\n\n") == 5


def test_the_hubs_test_split_has_no_answers():
    intake = Intake()
    assert CEVAL_ZERO_SHOT.rows([{**ROW, "answer": ""}], "ceval/ceval-exam:physician test", intake) == []
    assert intake.dropped["unanswered_questions"] == 1


def test_a_test_file_without_answers_is_an_error(tmp_path):
    path = tmp_path / "physician_test.csv"
    path.write_text("id,question,A,B,C,D\n0,诊断是____,肺炎,哮喘,胃炎,肝炎\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"physician_test\.csv:2: no field 'answer'"):
        CEVAL_ZERO_SHOT.read(path, Intake())


@needs_data
def test_real_files_are_52_subjects():
    intake, files = Intake(), sorted(DATA.rglob(CEVAL.files[0]))
    groups = [group for path in files for group in CEVAL.read(path, intake)]
    assert {group.document for group in groups} == set(NAMES)
    assert len(files) == len(groups) == 52
    assert sum(len(group.questions) for group in groups) == 1345  # of the official 1,346
    assert +intake.dropped == {"duplicate_questions": 1}
    assert len({question.document for group in groups for question in group.questions}) == 1345


@needs_data
def test_real_medical_subjects_can_be_taken_alone():
    intake, files = Intake(), sorted(DATA.rglob(CEVAL.files[0]))
    groups = [group for path in files for group in CEVAL_MEDICAL.read(path, intake)]
    assert {group.document: len(group.questions) for group in groups} == {
        "basic_medicine": 19,
        "clinical_medicine": 22,
        "physician": 49,
    }
    assert {question.category for group in groups for question in group.questions} == {
        "basic_medicine",
        "clinical_medicine",
        "physician",
    }
    assert +intake.dropped == {"questions_of_other_subjects": 1256}
