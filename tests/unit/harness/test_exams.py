"""The harness's MMLU and C-Eval tasks on real files: prompts, and equal scores of ``hf`` and ours."""

from functools import cache

import pytest

from pmind.errors import DataError

TOLERANCE = 1e-4
LIMIT = 8


@pytest.fixture(scope="module")
def evaluated(exam_data, manager, request):
    """What both models answer and score, and what our grouping did; each evaluation runs once."""
    from pmind.harness.comparison import evaluate_once
    from pmind.harness.exams import exam_group
    from pmind.harness.grouping import Work

    groups = [
        exam_group("mmlu", exam_data / "mmlu", ["anatomy"]),
        exam_group("ceval", exam_data / "ceval", ["physician"]),
    ]

    @cache
    def evaluate(model, shots):
        lms = request.getfixturevalue(model)
        lms.pmind.work = Work()
        asked = {"num_fewshot": shots, "limit": LIMIT}
        return *(evaluate_once(lm, groups, manager, **asked) for lm in (lms.hf, lms.pmind)), lms.pmind.work

    return evaluate


@pytest.mark.parametrize(("model", "shots"), [("tiny", 5), ("stories", 1), ("stories", 5)])
def test_scores_equal_hf(model, shots, evaluated):
    """Five examples fit into the random model; of the pretrained one's prompts the beginning is cut off."""
    from pmind.harness.comparison import differences

    theirs, ours, _ = evaluated(model, shots)
    found = differences(theirs, ours)
    assert found.equal(TOLERANCE), found
    assert found.requests == 2 * LIMIT * 4
    assert ours.scores == theirs.scores
    assert set(ours.scores) == {"mmlu_anatomy", "ceval-valid_physician"}
    assert set(ours.scores["mmlu_anatomy"]) == {"acc,none"}


def test_the_questions_of_a_subject_are_one_group(evaluated):
    _, _, work = evaluated("tiny", 5)
    assert (work.requests, work.prompts, work.contexts, work.groups) == (2 * LIMIT * 4, 2 * LIMIT, 2, 2)
    assert work.tokens_read < work.prompt_tokens / 3


def test_the_prompts_are_the_harnesss_own(evaluated):
    theirs, _, _ = evaluated("stories", 1)
    texts = [request.args for _, asked in theirs.asked for request in asked]
    assert texts[0] == (
        "The following are multiple choice questions (with answers) about anatomy.\n\n"
        "What is the embryological origin of the hyoid bone?\n"
        "A. The first pharyngeal arch\nB. The first and second pharyngeal arches\n"
        "C. The second pharyngeal arch\nD. The second and third pharyngeal arches\nAnswer: D\n\n"
        "A lesion causing compression of the facial nerve at the stylomastoid foramen will cause ipsilateral\n"
        "A. paralysis of the facial muscles.\nB. paralysis of the facial muscles and loss of taste.\n"
        "C. paralysis of the facial muscles, loss of taste and lacrimation.\n"
        "D. paralysis of the facial muscles, loss of taste, lacrimation and decreased salivation.\nAnswer:",
        " A",
    )
    assert texts[-1][0].startswith(
        "以下是中国关于医师资格的单项选择题，请选出其中的正确答案。\n\n医学伦理学的核心问题是____\nA. "
    )
    assert texts[-1][0].endswith("\n答案：")


def test_all_subjects_that_are_there(exam_data, lm_eval):
    from pmind.harness.exams import exam_group

    assert len(exam_group("mmlu", exam_data / "mmlu")["task"]) == 57
    assert len(exam_group("ceval", exam_data / "ceval")["task"]) == 52


def test_packed_tables(exam_data, lm_eval):
    from pmind.harness.exams import read_subject

    if not list((exam_data / "mmlu" / "test").glob("professional_law_test.csv.xz")):
        pytest.skip("no packed table in ../shared/data/mmlu")
    law = read_subject("mmlu", exam_data / "mmlu", "professional_law")
    assert (len(law["dev"]), len(law["test"])) == (5, 1534)


def test_unknown_subjects_and_folders(exam_data, tmp_path, lm_eval):
    from pmind.harness.exams import exam_group

    with pytest.raises(DataError, match=r"no subject 'alchemy'; expected test/SUBJECT_test\.csv"):
        exam_group("mmlu", exam_data / "mmlu", ["anatomy", "alchemy"])
    with pytest.raises(DataError, match=r"no subjects; expected val/SUBJECT_val\.csv"):
        exam_group("ceval", tmp_path)


@pytest.mark.parametrize(
    ("name", "table", "error"),
    [
        ("mmlu", "What?,a,b,c,d,E\n", r"x_test\.csv:1: answer 'E' is none of A, B, C, D"),
        ("mmlu", "What?,a,b,c,d,A\nWhat?,a,b\n", r"x_test\.csv:2: 3 fields, the first row has 6"),
        ("ceval", "id,question,A,B,C,answer\n0,什么?,a,b,c,A\n", r"x_val\.csv: columns id, question"),
    ],
)
def test_broken_tables(tmp_path, lm_eval, name, table, error):
    from pmind.harness.exams import EXAMS, read_subject

    good = "What?,a,b,c,d,A\n" if name == "mmlu" else "id,question,A,B,C,D,answer\n0,什么?,a,b,c,d,A\n"
    for split, text in (("dev", good), (EXAMS[name].split, table)):
        (tmp_path / split).mkdir()
        (tmp_path / split / f"x_{split}.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=error):
        read_subject(name, tmp_path, "x")
