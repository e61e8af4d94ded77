import json
from pathlib import Path

import pytest

from pmind.errors import DataError
from pmind.tasks.agieval import (
    AGIEVAL,
    AGIEVAL_CLOZE,
    AGIEVAL_CLOZE_ZH,
    AGIEVAL_ZH,
)
from pmind.tasks.intake import Intake
from pmind.tasks.records import Question, passage_document

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "agieval"
CHOICE = {
    "passage": "A tale.",
    "question": "Who?",
    "options": ["(A)Ada", "(B)Orin", "(C)Mira"],
    "label": "B",
    "answer": None,
    "other": None,
}
CLOZE = {**CHOICE, "passage": None, "options": None, "label": None, "answer": " $2$ "}


def read(folder, items, dataset=AGIEVAL, name="sat-en.jsonl"):
    path = folder / name
    path.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), encoding="utf-8")
    intake = Intake()
    return dataset.read(path, intake), +intake.dropped


def test_questions_come_together_by_passage_and_the_others_by_subject(tmp_path):
    items = [
        CHOICE,
        {**CHOICE, "passage": "", "question": "Bare?"},
        {**CHOICE, "passage": "Another.", "question": "Alone?"},
        {**CHOICE, "passage": " A tale. ", "question": "Why?"},
        {**CHOICE, "passage": None, "question": "Bare, too?"},
    ]
    groups, dropped = read(tmp_path, items)
    document, other = passage_document("A tale."), passage_document("Another.")
    told = [
        (group.id, group.document, group.context, [(q.id, q.context, q.document) for q in group.questions])
        for group in groups
    ]
    assert told == [
        ("sat-en-0", document, "A tale.", [("sat-en-0", "", ""), ("sat-en-3", "", "")]),
        ("sat-en-2", "sat-en", "", [("sat-en-2", "Another.", other)]),
        ("sat-en-1", "sat-en", "", [("sat-en-1", "", "sat-en-1"), ("sat-en-4", "", "sat-en-4")]),
    ]
    assert not dropped
    assert document != other


def test_a_question_keeps_options_without_their_letters(tmp_path):
    ((group,), _) = read(tmp_path, [CHOICE, {**CHOICE, "question": "Why?"}])
    assert group.questions[0] == Question(
        "sat-en-0", "Who?", ("Orin",), ("Ada", "Orin", "Mira"), (1,), category="sat-en"
    )


@pytest.mark.parametrize(
    ("printed", "options"),
    [
        (["(A) 1", " A. 2", "B．3", "C、4"], ("1", "2", "3", "4")),
        (["A No", "B Yes", "C Maybe"], ("No", "Yes", "Maybe")),
        (["A man", "Two men", "No man"], ("A man", "Two men", "No man")),
        (["(A)A man", "(B)B. Orin", "(C)"], ("A man", "B. Orin", "")),
        (["(A) x ", "B y"], ("x", "y")),
    ],
)
def test_letters_before_options_are_taken_off_once(tmp_path, printed, options):
    ((group,), _) = read(tmp_path, [{**CHOICE, "options": printed, "label": "A"}])
    assert group.questions[0].options == options


@pytest.mark.parametrize("label", ["AC", "A C", ["A", "C"], ["C", "A", "。"]])
def test_several_options_may_be_right(tmp_path, label):
    ((group,), _) = read(tmp_path, [{**CHOICE, "label": label}])
    assert (group.questions[0].correct, group.questions[0].answers) == ((0, 2), ("Ada", "Mira"))


def test_prompts(tmp_path):
    ((group,), _) = read(tmp_path, [CHOICE, {**CHOICE, "question": "Why?"}])
    template, question = AGIEVAL.template, group.questions[0]
    assert template.render_context(group) + template.render_prompt(question) + template.render_answer(question) == (
        "A tale.\nQ: Who?\nAnswer Choices:\nA. Ada\nB. Orin\nC. Mira\nA: Among these, the answer is B"
    )
    ((group,), _) = read(tmp_path, [CHOICE], AGIEVAL_ZH, "gaokao-chinese.jsonl")
    template, question = AGIEVAL_ZH.template, group.questions[0]
    assert template.render_prompt(question) + template.render_answer(question) == (
        "A tale.\n问题：Who?\n选项：\nA. Ada\nB. Orin\nC. Mira\n答案：我们应选择B"
    )
    ((group,), _) = read(tmp_path, [CLOZE], AGIEVAL_CLOZE, "math.jsonl")
    template, question = AGIEVAL_CLOZE.template, group.questions[0]
    assert template.render_prompt(question) + template.render_answer(question) == "Q: Who?\nA: The answer is $2$"
    assert AGIEVAL_CLOZE_ZH.template.render_prompt(question) == "问题：Who?\n答案："


@pytest.mark.parametrize(
    ("dataset", "name", "item", "reason"),
    [
        (AGIEVAL, "gaokao-history.jsonl", CHOICE, "questions_in_another_language"),
        (AGIEVAL_ZH, "gaokao-english.jsonl", CHOICE, "questions_in_another_language"),
        (AGIEVAL_CLOZE, "gaokao-mathcloze.jsonl", CLOZE, "questions_in_another_language"),
        (AGIEVAL, "math.jsonl", CLOZE, "questions_without_options"),
        (AGIEVAL_CLOZE, "sat-math.jsonl", CHOICE, "questions_with_options"),
        (AGIEVAL, "sat-en.jsonl", {**CHOICE, "label": "D"}, "questions_without_right_option"),
        (AGIEVAL, "sat-en.jsonl", {**CHOICE, "label": []}, "questions_without_right_option"),
    ],
)
def test_what_is_not_of_the_dataset_is_left_out_and_counted(tmp_path, dataset, name, item, reason):
    assert read(tmp_path, [item], dataset, name) == ([], {reason: 1})


def test_a_file_of_another_name_is_in_the_datasets_language(tmp_path):
    ((group,), _) = read(tmp_path, [CHOICE], AGIEVAL_ZH, "mine.jsonl")
    assert group.document == "mine"


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([CHOICE, {"question": "x"}], r"sat-en\.jsonl:2: no field 'options'"),
        ([CHOICE, {**CHOICE, "options": "(A)"}], r"sat-en\.jsonl:2\.options: expected a list"),
        ([CHOICE, {**CHOICE, "options": [1]}], r"sat-en\.jsonl:2\.options\[0\]: expected a text"),
        ([CHOICE, {**CHOICE, "label": None}], r"sat-en\.jsonl:2\.label: expected a text or a list"),
        ([CHOICE, {**CHOICE, "passage": 3}], r"sat-en\.jsonl:2\.passage: expected a text"),
        ([CHOICE, [CHOICE]], r"sat-en\.jsonl:2: expected an object"),
    ],
)
def test_errors_name_file_and_line(tmp_path, items, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, items)


def test_a_truncated_file_and_another_encoding_are_errors(tmp_path):
    path = tmp_path / "sat-en.jsonl"
    path.write_text(json.dumps(CHOICE) + "\n" + json.dumps(CHOICE)[:-1], encoding="utf-8")
    with pytest.raises(DataError, match=r"sat-en\.jsonl:2: not valid JSON.*The file ends too early"):
        AGIEVAL.read(path, Intake())
    path.write_bytes('{"question": "下列说法正确的是"}\n'.encode("gb18030"))
    with pytest.raises(DataError, match=r"sat-en\.jsonl:1: not UTF-8"):
        AGIEVAL.read(path, Intake())


def test_one_file_read_twice_is_an_error(tmp_path):
    intake, path = Intake(), tmp_path / "sat-en.jsonl"
    path.write_text(json.dumps(CHOICE), encoding="utf-8")
    AGIEVAL.read(path, intake)
    with pytest.raises(DataError, match=r"id 'sat-en-0' occurs twice"):
        AGIEVAL.read(path, intake)


def test_hub_rows_are_taken_apart():
    query = "A tale:\nQ: was it one?Q: {} Answer Choices: (A)Ada (B)Orin\nA: Among A through B, the answer is"
    rows = [{"query": query.format(text), "choices": ["(A)Ada", "(B)Orin"], "gold": [1]} for text in ("Who?", "Why?")]
    (group,) = AGIEVAL.rows(rows, "hails/agieval-sat-en test", Intake())
    assert (group.context, group.id) == ("A tale:\nQ: was it one?", "sat-en-0")
    assert [(q.text, q.options, q.correct) for q in group.questions] == [
        ("Who?", ("Ada", "Orin"), (1,)),
        ("Why?", ("Ada", "Orin"), (1,)),
    ]
    row = {
        "query": "问题：谁? 选项：(A)甲 (B)乙\n答案：从A到B, 我们应选择",
        "choices": ["(A)甲", "(B)乙"],
        "gold": [0, 1],
    }
    (group,) = AGIEVAL_ZH.rows([row], "hails/agieval-jec-qa-kd test", Intake())
    assert [(q.text, q.correct, q.category) for q in group.questions] == [("谁?", (0, 1), "jec-qa-kd")]


def test_hub_rows_without_options():
    (group,) = AGIEVAL_CLOZE.rows([{"query": "Q: 1 + 1?\nA: The answer is", "answer": "2"}], "hails/x test", Intake())
    assert [(q.text, q.answers) for q in group.questions] == [("1 + 1?", ("2",))]
    (group,) = AGIEVAL_CLOZE_ZH.rows([{"query": "问题：1 + 1?\n答案：", "answer": "2"}], "hails/x test", Intake())
    assert [(q.text, q.answers) for q in group.questions] == [("1 + 1?", ("2",))]
    with pytest.raises(DataError, match=r"hails/x test row 0\.query: is no prompt of AGIEval"):
        AGIEVAL.rows([{"query": "Who?", "choices": [], "gold": []}], "hails/x test", Intake())


@pytest.mark.skipif(not DATA.is_dir(), reason="real AGIEval files are not here")
@pytest.mark.parametrize(
    ("dataset", "name", "groups", "questions", "documents", "shared", "dropped"),
    [
        (AGIEVAL, "aqua-rat.jsonl", 1, 254, 254, 0, {}),
        (AGIEVAL, "gaokao-english.jsonl.xz", 77, 295, 77, 76, {"duplicate_questions": 11}),
        (AGIEVAL, "logiqa-en.jsonl.xz", 39, 651, 557, 38, {}),
        (AGIEVAL, "lsat-ar.jsonl", 40, 230, 40, 40, {}),
        (AGIEVAL, "lsat-lr.jsonl.xz", 4, 510, 507, 3, {}),
        (AGIEVAL, "lsat-rc.jsonl.xz", 40, 269, 40, 40, {}),
        (AGIEVAL, "sat-en-without-passage.jsonl", 1, 205, 205, 0, {"duplicate_questions": 1}),
        (AGIEVAL, "sat-en.jsonl.xz", 44, 205, 44, 44, {"duplicate_questions": 1}),
        (AGIEVAL, "sat-math.jsonl", 8, 220, 213, 6, {}),
        (AGIEVAL_ZH, "gaokao-biology.jsonl", 1, 210, 210, 0, {}),
        (AGIEVAL_ZH, "gaokao-chemistry.jsonl", 1, 184, 184, 0, {"duplicate_questions": 23}),
        (AGIEVAL_ZH, "gaokao-chinese.jsonl.xz", 67, 231, 120, 65, {"duplicate_questions": 15}),
        (AGIEVAL_ZH, "gaokao-geography.jsonl", 1, 198, 198, 0, {"duplicate_questions": 1}),
        (AGIEVAL_ZH, "gaokao-history.jsonl", 1, 235, 235, 0, {}),
        (AGIEVAL_ZH, "gaokao-mathqa.jsonl", 1, 348, 348, 0, {"duplicate_questions": 3}),
        (AGIEVAL_ZH, "gaokao-physics.jsonl", 1, 194, 194, 0, {"duplicate_questions": 6}),
        (AGIEVAL_ZH, "jec-qa-ca.jsonl.xz", 1, 1000, 1000, 0, {}),
        (
            AGIEVAL_ZH,
            "jec-qa-kd.jsonl.xz",
            1,
            999,
            999,
            0,
            {"questions_without_right_option": 1},
        ),
        (AGIEVAL_ZH, "logiqa-zh.jsonl.xz", 33, 651, 548, 32, {}),
        (AGIEVAL_CLOZE, "math.jsonl.xz", 1, 1000, 1000, 0, {}),
        (AGIEVAL_CLOZE_ZH, "gaokao-mathcloze.jsonl", 1, 116, 116, 0, {"duplicate_questions": 2}),
    ],
)
def test_real_files(dataset, name, groups, questions, documents, shared, dropped):
    intake = Intake()
    found = dataset.read(DATA / name, intake)
    asked = [(group, question) for group in found for question in group.questions]
    assert (len(found), len(asked)) == (groups, questions)
    assert len({group.document_of(question) for group, question in asked}) == documents
    assert sum(bool(group.context) for group in found) == shared
    assert +intake.dropped == dropped
    assert {question.category for _, question in asked} == {name.partition(".")[0]}


@pytest.mark.skipif(not DATA.is_dir(), reason="real AGIEval files are not here")
@pytest.mark.parametrize(
    ("name", "least", "most"), [("lsat-rc", 6.7, 6.8), ("sat-en", 4.6, 4.7), ("gaokao-english", 3.8, 4)]
)
def test_real_passages_are_shared(name, least, most):
    groups = [group for group in AGIEVAL.read(DATA / f"{name}.jsonl.xz", Intake()) if group.context]
    assert least <= sum(len(group.questions) for group in groups) / len(groups) <= most
