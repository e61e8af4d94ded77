from pathlib import Path

import pytest

from pmind.errors import DataError
from pmind.tasks.cmmlu import CMMLU, CMMLU_MEDICAL, CMMLU_ZERO_SHOT, NAMES
from pmind.tasks.intake import Intake

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "cmmlu"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="real CMMLU files are not here")
ROW = {"Question": "诊断是", "A": "肺炎", "B": "哮喘", "C": "胃炎", "D": "肝炎", "Answer": "B"}


def written(folder):
    header = ",Question,A,B,C,D,Answer\n"
    rows = "".join(f"{n},第{n}题,一,二,三,四,{letter}\n" for n, letter in enumerate("ABCDA"))
    for name, lines in (("dev/virology.csv", rows), ("test/virology.csv", "0,诊断是,肺炎,哮喘,胃炎,肝炎,B\n")):
        path = folder / name
        path.parent.mkdir()
        path.write_text(header + lines, encoding="utf-8")
    return path


def test_prompt_is_that_of_the_authors_code(tmp_path):
    path = written(tmp_path)
    (group,) = CMMLU.read(path, Intake())
    head = "以下是关于病毒学的单项选择题，请直接给出正确答案的选项。\n\n"
    shots = "".join(
        f"题目：第{n}题\nA. 一\nB. 二\nC. 三\nD. 四\n答案是：{letter}\n\n" for n, letter in enumerate("ABCDA")
    )
    question = group.questions[0]
    assert CMMLU.template.render_context(group) == head + shots
    assert CMMLU.template.render_prompt(question) == "题目：诊断是\nA. 肺炎\nB. 哮喘\nC. 胃炎\nD. 肝炎\n答案是："
    assert CMMLU.template.render_answer(question) == "B"
    assert (group.id, group.document, question.category) == ("virology-0", "virology", "virology")
    (bare,) = CMMLU_ZERO_SHOT.read(path, Intake())
    assert bare.context == head


def test_the_examples_are_no_questions(tmp_path):
    written(tmp_path)
    with pytest.raises(DataError, match=r"dev/virology\.csv: holds the examples of its subject"):
        CMMLU.read(tmp_path / "dev/virology.csv", Intake())


def test_hub_rows_take_the_subject_from_the_configuration():
    (group,) = CMMLU_ZERO_SHOT.rows([ROW], "haonan-li/cmmlu:virology test", Intake())
    assert (group.id, group.questions[0].answers) == ("virology_test-0", ("哮喘",))
    with pytest.raises(DataError, match=r"unknown subject 'alchemy'"):
        CMMLU_ZERO_SHOT.rows([ROW], "haonan-li/cmmlu:alchemy test", Intake())


@needs_data
def test_real_files_are_67_subjects():
    intake, files = Intake(), sorted(DATA.rglob(CMMLU.files[0]))
    groups = [group for path in files for group in CMMLU.read(path, intake)]
    assert {group.document for group in groups} == set(NAMES)
    assert len(files) == len(groups) == 67
    assert sum(len(group.questions) for group in groups) == 11580  # of the official 11,582
    assert +intake.dropped == {"duplicate_questions": 2}
    assert len({question.document for group in groups for question in group.questions}) == 11580


@needs_data
def test_real_medical_subjects_can_be_taken_alone():
    intake, files = Intake(), sorted(DATA.rglob(CMMLU.files[0]))
    groups = [group for path in files for group in CMMLU_MEDICAL.read(path, intake)]
    assert {group.document: len(group.questions) for group in groups} == {
        "anatomy": 147,
        "clinical_knowledge": 237,
        "college_medicine": 273,
        "professional_medicine": 376,
        "traditional_chinese_medicine": 185,
        "virology": 169,
    }
    assert +intake.dropped == {"questions_of_other_subjects": 10194, "duplicate_questions": 1}
