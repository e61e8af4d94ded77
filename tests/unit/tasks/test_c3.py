import json
from pathlib import Path

import pytest

from pmind.corpora.places import SchemaError
from pmind.errors import DataError
from pmind.tasks.c3 import C3, C3_DIALOGUE, C3_MIXED, c3_rows, read_c3
from pmind.tasks.intake import Intake

C3_DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "c3"
TURNS = ["男：你去哪儿?", "女：去南方工作。"]
ENTRY = {"question": "女的去哪儿?", "choice": ["北方", "南方", "东方"], "answer": "南方"}
DIALOGUE = [TURNS, [ENTRY], "47-275"]
MIXED = [
    ["动物能预报地震。"],
    [{"question": "动物能预报什么?", "choice": ["正确", "地震"], "answer": "地震"}],
    "47-275",
]
PROMPT = """\
男：你去哪儿?
女：去南方工作。

问题：女的去哪儿?
A. 北方
B. 南方
C. 东方
答案：B"""


def write(path, data):
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf-8")
    return path


def test_dialogues_and_mixed_texts_become_groups_with_ids_of_their_own(tmp_path):
    dialogue, mixed = read_c3(write(tmp_path / "c3.json", [DIALOGUE, MIXED]), Intake())
    assert (dialogue.id, dialogue.context) == ("d-47-275-0", "男：你去哪儿?\n女：去南方工作。")
    assert (mixed.id, mixed.context, mixed.questions[0].correct) == ("m-47-275-0", "动物能预报地震。", (1,))
    (question,) = dialogue.questions
    assert (question.options, question.correct, question.answers) == (("北方", "南方", "东方"), (1,), ("南方",))
    assert (question.category, mixed.questions[0].category) == ("dialogue", "mixed")


def test_of_equal_options_the_last_is_right_as_for_the_authors(tmp_path):
    entry = {**ENTRY, "choice": ["南方", "北方", "南方"]}
    (group,) = read_c3(write(tmp_path / "c3.json", [[TURNS, [entry], "1-1"]]), Intake())
    assert group.questions[0].correct == (2,)


def test_the_prompt_shows_text_and_lettered_options(tmp_path):
    (group,) = read_c3(write(tmp_path / "c3.json", [DIALOGUE]), Intake())
    template, question = C3.template, group.questions[0]
    rendered = template.render_context(group) + template.render_prompt(question) + template.render_answer(question)
    assert rendered == PROMPT


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"data": []}, r"c3\.json:1: expected a list of texts, found dict"),
        ([DIALOGUE, MIXED[:2]], r"c3\.json:20: \[1\]: expected \[lines, questions, id\]"),
        ([[[3], [], "1-1"]], r"c3\.json:2: \[0\]: a line of the text is no text"),
        ([[TURNS, [{"question": "?"}], "1-1"]], r"c3\.json:8: \[0\]\[1\]\[0\]: no field 'choice'. It has: question"),
        ([[TURNS, [{**ENTRY, "answer": "西方"}], "1-1"]], r"c3\.json:8: .*: the answer is none of the 3 options"),
        (
            [DIALOGUE, DIALOGUE],
            r"c3\.json:26: \[1\]\[1\]\[0\]: id 'd-47-275-0' occurs twice, first at .*\[0\]\[1\]\[0\]",
        ),
    ],
)
def test_schema_errors_name_line_and_place(tmp_path, data, message):
    with pytest.raises(SchemaError, match=message):
        read_c3(write(tmp_path / "c3.json", data), Intake())


def test_a_truncated_or_wrongly_encoded_file_is_named_with_its_line(tmp_path):
    path = write(tmp_path / "c3.json", [DIALOGUE])
    path.write_text("\n".join(path.read_text(encoding="utf-8").split("\n")[:4]), encoding="utf-8")
    with pytest.raises(DataError, match=r"c3\.json:4: not valid JSON .* The file ends too early"):
        read_c3(path, Intake())
    path.write_bytes('["男"]'.encode("gb18030"))
    with pytest.raises(DataError, match=r"c3\.json:1: not UTF-8 text"):
        read_c3(path, Intake())


def test_rows_of_the_hub_become_the_same_groups(tmp_path):
    rows = [
        {
            "documents": lines,
            "document_id": name,
            "questions": {field: [entry[field] for entry in entries] for field in ("question", "answer", "choice")},
        }
        for lines, entries, name in (DIALOGUE, MIXED)
    ]
    assert c3_rows(rows, "hub train", Intake()) == read_c3(write(tmp_path / "c3.json", [DIALOGUE, MIXED]), Intake())
    rows[1]["questions"]["answer"] = []
    with pytest.raises(SchemaError, match=r"hub row 1\.questions: expected as many of each field, .* answer 0"):
        c3_rows(rows, "hub", Intake())


def test_the_kinds_have_files_of_their_own(tmp_path):
    for kind in "dm":
        (tmp_path / f"c3-{kind}-dev.json.xz").touch()
        (tmp_path / f"c3-{kind}-train.json").touch()
    found = [len(list(tmp_path.rglob(dataset.files[0]))) for dataset in (C3, C3_DIALOGUE, C3_MIXED)]
    assert found == [4, 2, 2]


@pytest.mark.skipif(not C3_DATA.is_dir(), reason="real data files are not beside the repository")
def test_real_files_are_read_whole():
    counts, documents = {}, set()
    every = Intake()
    for path in sorted(C3_DATA.iterdir()):
        groups = read_c3(path, every)
        documents |= {group.document for group in groups}
        counts[path.name] = (len(groups), sum(len(group.questions) for group in groups))
        kind = "dialogue" if path.name.startswith("c3-d") else "mixed"
        assert {question.category for group in groups for question in group.questions} == {kind}
    assert counts == {
        "c3-d-dev.json.xz": (1628, 1825),
        "c3-d-test.json.xz": (1627, 1890),
        "c3-d-train.json.xz": (4885, 5856),
        "c3-m-dev.json.xz": (1046, 1991),
        "c3-m-train.json.xz": (3138, 6013),
    }
    assert not +every.dropped
    assert len(documents) == 12324
    assert round((1991 + 6013) / (1046 + 3138), 1) == 1.9
