import json
from pathlib import Path

import pytest

from pmind.corpora.places import SchemaError
from pmind.errors import DataError
from pmind.tasks.dream import DREAM, dream_rows, read_dream
from pmind.tasks.intake import Intake

DREAM_DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "dream"
TURNS = ["M: Who paints the door?", "W: Orin does."]
QUESTIONS = [
    {"question": "Who paints?", "choice": ["Ada.", "Orin.", "Kell."], "answer": "Orin."},
    {"question": "What is painted?", "choice": ["A door.", "A wall.", "A cup."], "answer": "A door."},
]
DIALOGUE = [TURNS, QUESTIONS, "5-510"]
PROMPT = """\
M: Who paints the door?
W: Orin does.

Question: Who paints?
A. Ada.
B. Orin.
C. Kell.
Answer: B"""


def write(path, data):
    path.write_text(json.dumps(data, indent=2), encoding="utf-8")
    return path


def test_a_dialogue_becomes_a_group(tmp_path):
    (group,) = read_dream(write(tmp_path / "dev.json", [DIALOGUE]), Intake())
    assert (group.id, group.context) == ("5-510-0", "M: Who paints the door?\nW: Orin does.")
    assert [(q.id, q.correct, q.answers) for q in group.questions] == [
        ("5-510-0", (1,), ("Orin.",)),
        ("5-510-1", (0,), ("A door.",)),
    ]


def test_the_prompt_shows_dialogue_and_lettered_options(tmp_path):
    (group,) = read_dream(write(tmp_path / "dev.json", [DIALOGUE]), Intake())
    template, question = DREAM.template, group.questions[0]
    rendered = template.render_context(group) + template.render_prompt(question) + template.render_answer(question)
    assert rendered == PROMPT


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([{"dialogue": TURNS}], r"dev\.json:2: \[0\]: expected \[lines, questions, id\]"),
        ([[TURNS, [{"question": "?", "choice": "A"}], "1-1"]], r"dev\.json:10: .*\.choice: expected a list, found str"),
        ([DIALOGUE, DIALOGUE], r"\[1\]\[1\]\[0\]: id '5-510-0' occurs twice"),
    ],
)
def test_schema_errors_name_line_and_place(tmp_path, data, message):
    with pytest.raises(SchemaError, match=message):
        read_dream(write(tmp_path / "dev.json", data), Intake())


def test_a_truncated_or_wrongly_encoded_file_is_named_with_its_line(tmp_path):
    path = write(tmp_path / "dev.json", [DIALOGUE])
    path.write_text("\n".join(path.read_text(encoding="utf-8").split("\n")[:5]), encoding="utf-8")
    with pytest.raises(DataError, match=r"dev\.json:5: not valid JSON .* The file ends too early"):
        read_dream(path, Intake())
    path.write_bytes(b'["caf\xe9"]')
    with pytest.raises(DataError, match=r"dev\.json:1: not UTF-8 text"):
        read_dream(path, Intake())


def test_rows_of_the_hub_become_the_same_groups(tmp_path):
    rows = [
        {"id": number, "dialogue_id": "5-510", "dialogue": TURNS, **entry} for number, entry in enumerate(QUESTIONS)
    ]
    from_file = read_dream(write(tmp_path / "dev.json", [DIALOGUE]), Intake())
    assert dream_rows(rows, "hub test", Intake()) == from_file
    with pytest.raises(SchemaError, match=r"hub row 1: the answer is none of the 3 options"):
        dream_rows([rows[0], {**rows[1], "answer": "B"}], "hub", Intake())


@pytest.mark.skipif(not DREAM_DATA.is_dir(), reason="real data files are not beside the repository")
def test_real_files_are_read_whole():
    counts = {}
    every = Intake()
    for path in sorted(DREAM_DATA.iterdir()):
        groups = read_dream(path, every)
        documents = {group.document for group in groups}
        counts[path.name] = (len(groups), sum(len(group.questions) for group in groups), len(documents))
    assert counts == {
        "dev.json.xz": (1288, 2040, 1285),
        "test.json.xz": (1287, 2041, 1281),
        "train.json.xz": (3869, 6116, 3860),
    }
    assert not +every.dropped
    assert round((2040 + 2041 + 6116) / (1288 + 1287 + 3869), 1) == 1.6
