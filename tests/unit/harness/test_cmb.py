"""The tasks for CMB, on small files in the official schema and under the official names."""

import json
import lzma
from pathlib import Path

import pytest

from pmind.errors import DataError

PACKAGE = Path(__file__).resolve().parents[3] / "pmind" / "harness"
TASKS = PACKAGE / "tasks"
PHYSICIAN = {"exam_type": "医师考试", "exam_class": "执业医师", "exam_subject": "口腔执业医师"}
TASK = "cmb_exam_physician_licensed"


def question(number, **changes):
    told = {"id": number, **PHYSICIAN, "question": f"诊断{number}是", "question_type": "单项选择题"}
    return {**told, "option": {"A": "肺炎", "B": "哮喘", "C": "胃炎", "D": "肝炎", "E": ""}, **changes}


TEST = [
    question(1),
    question(2, exam_subject="临床执业医师", option={"A": "是", "B": "否", "C": " "}),
    question(3, question_type="多项选择题"),
    question(4, exam_class="规培结业"),
]
ANSWERS = [{"id": number, "answer": answer} for number, answer in enumerate(("D", "B", "AB", "A"), start=1)]
EXAMPLES = [question(number, answer="C", explanation="…") for number in (11, 12)]
CASES = [
    {
        "id": str(case),
        "title": f"案例{case}",
        "description": f"病史{case}",
        "QA_pairs": [{"question": "诊断？", "answer": "急性肺炎"}, {"question": "治疗？", "answer": "休息"}],
    }
    for case in range(2)
]


@pytest.fixture
def release(tmp_path):
    """A folder as the official archive unpacks."""
    files = {
        "CMB-Exam/CMB-test/CMB-test-choice-question-merge.json": TEST,
        "CMB-Exam/CMB-val/CMB-val-merge.json": EXAMPLES,
        "CMB-test-choice-answer.json": ANSWERS,
        "CMB-Clin/CMB-Clin-qa.json": CASES,
    }
    for name, items in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(items, ensure_ascii=False, indent=1), encoding="utf-8")
    return tmp_path


def manager_of(folder, **metadata):
    from lm_eval.tasks import TaskManager

    return TaskManager(include_defaults=False, include_path=TASKS, metadata={"cmb": str(folder), **metadata})


def test_questions_take_their_answers_from_the_file_of_answers(release, lm_eval):
    from pmind.harness.cmb import exam

    asked = exam("执业医师", cmb=str(release))
    assert [(each["letters"], each["right"]) for each in asked["test"]] == [(["A", "B", "C", "D"], 3), (["A", "B"], 1)]
    assert [each["right"] for each in asked["val"]] == [2, 2]
    only = exam("执业医师", cmb=str(release), cmb_subject="临床执业医师")
    assert [each["question"] for each in only["test"]] == ["诊断2是"]


def test_packed_files_and_no_examples(release, lm_eval):
    from pmind.harness.cmb import exam

    for path in release.rglob("*merge.json"):
        text = path.read_bytes()
        path.unlink()
        if "val" not in path.name:
            path.with_name(f"{path.name}.xz").write_bytes(lzma.compress(text))
    asked = exam("规培结业", cmb=str(release))
    assert (len(asked["test"]), len(asked["val"])) == (1, 0)


def test_the_prompt_is_the_authors_answer_only_one(release, lm_eval):
    task = manager_of(release).load([TASK])["tasks"][TASK]
    document = task.test_docs()[1]
    said = "问：以下是中国医师考试中执业医师考试的一道单项选择题，不需要做任何分析和解释，直接输出答案选项。\n"
    assert task.fewshot_context(document, num_fewshot=1) == (
        f"{said}诊断11是\nA. 肺炎\nB. 哮喘\nC. 胃炎\nD. 肝炎\n答：C\n{said}诊断2是\nA. 是\nB. 否\n答："
    )
    context = task.fewshot_context(document, num_fewshot=0)
    choices = task.construct_requests(document, context, metadata=(TASK, 0, 1))
    assert [request.args for request in choices] == [(context, "A"), (context, "B")]
    assert task.doc_to_target(document) == 1


def test_the_group_holds_the_28_classes_of_the_official_answers(lm_eval, release):
    import yaml

    group = yaml.safe_load((TASKS / "cmb" / "cmb_exam.yaml").read_text(encoding="utf-8"))
    names = [name for kind in group["task"] for name in kind["task"]]
    told = [yaml.safe_load((TASKS / "cmb" / f"{name}.yaml").read_text(encoding="utf-8")) for name in names]
    assert [each["task"] for each in told] == names
    classes = {each["dataset_kwargs"]["exam_class"] for each in told}
    assert len(names) == len(classes) == 28
    official = Path(__file__).resolve().parents[4] / "shared" / "data" / "cmb" / "CMB-test-choice-answer.json.xz"
    if not official.is_file():
        pytest.skip("no ../shared/data/cmb beside the repository")
    with lzma.open(official, "rt", encoding="utf-8") as file:
        assert classes == {each["exam_class"] for each in json.load(file)}


@pytest.fixture
def whole(release):
    """A release with a question of every class."""
    import yaml

    told = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in (TASKS / "cmb").glob("cmb_exam_*.yaml")]
    classes = [each["dataset_kwargs"]["exam_class"] for each in told]
    asked = [question(number, exam_class=name, answer="A") for number, name in enumerate(classes)]
    path = next(release.rglob("CMB-test-choice-question-merge.json"))
    path.write_text(json.dumps(asked, ensure_ascii=False), encoding="utf-8")
    return release


def test_exam_and_cases_are_evaluated(whole, stories):
    import lm_eval

    results = [
        lm_eval.simple_evaluate(
            lm, tasks=["cmb_exam", "cmb_clin"], task_manager=manager_of(whole), gen_kwargs="max_gen_toks=8"
        )["results"]
        for lm in (stories.hf, stories.pmind)
    ]
    assert results[0] == results[1]
    assert results[1]["cmb_exam"]["sample_len"] == 28
    assert {"acc,none"} <= set(results[1]["cmb_exam::nurse"])
    assert {"bleu4,none", "rouge1,none", "rouge2,none", "rougeL,none"} <= set(results[1]["cmb_clin"])


def test_cases_ask_each_question_after_the_case(release, lm_eval):
    task = manager_of(release).load(["cmb_clin"])["tasks"]["cmb_clin"]
    asked = [task.doc_to_text(document) for document in task.test_docs()]
    assert asked[1] == "问：以下是一位病人的病例：\n病史0\n治疗？\n答："
    assert len(asked) == 4
    assert task.doc_to_target(task.test_docs()[0]) == "急性肺炎"


def test_scores_of_cases(lm_eval):
    from pmind.harness.cmb import bleu4, clin_results

    right = clin_results({"answer": "急性肺炎"}, [" 急性肺炎\n"])
    assert (right["rouge1"], right["rougeL"], bleu4([right["bleu4"]])) == (1.0, 1.0, pytest.approx(1.0))
    half = clin_results({"answer": "急性肺炎"}, ["肺炎"])
    assert half["rougeL"] == pytest.approx(2 / 3)
    assert clin_results({"answer": "急性肺炎"}, ["休息"])["rouge1"] == 0


@pytest.mark.parametrize("cmb", ["", "no/such/folder"])
def test_no_folder(lm_eval, cmb):
    from pmind.harness.cmb import clin

    with pytest.raises(DataError, match=r"no folder.*--metadata '\{\"cmb\""):
        clin(cmb=cmb)


def test_missing_files_and_classes(tmp_path, release, lm_eval):
    from pmind.harness.cmb import clin, exam

    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no CMB-test-choice-question-merge\.json in it"):
        exam("执业医师", cmb=str(empty))
    with pytest.raises(DataError, match=r"no CMB-Clin-qa\.json in it"):
        clin(cmb=str(empty))
    with pytest.raises(DataError, match="no single-answer questions of 执业医师 外科"):
        exam("执业医师", cmb=str(release), cmb_subject="外科")


def test_another_schema_is_named_with_its_line(release, lm_eval):
    from pmind.harness.cmb import exam

    path = next(release.rglob("CMB-test-choice-question-merge.json"))
    broken = [question(1), {name: value for name, value in question(2).items() if name != "option"}]
    path.write_text(json.dumps(broken, ensure_ascii=False, indent=1), encoding="utf-8")
    with pytest.raises(DataError, match=r"merge\.json:17: \[1\]: no field 'option'"):
        exam("执业医师", cmb=str(release))
