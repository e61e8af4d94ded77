import gzip

import pytest

from pmind.errors import DataError
from pmind.tasks.exams import Exam, exam_rows, few_shot_block, read_exam, split_name
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question

HEADER = "id,question,A,B,C,D,answer\n"
TEMPLATE = PromptTemplate(context="{context}", prompt="{question}\n{options}\nAnswer:", choice="letter")
EXAM = Exam(head="About {subject}.\n\n", template=TEMPLATE)


def row(number, question="Who?", answer="B"):
    return f"{number},{question},Ada, Orin,Mira,Tove,{answer}\n"


def written(folder, rows, name="test/folk_tales_test.csv", header=HEADER):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(header + "".join(rows), encoding="utf-8")
    return path


def test_a_file_is_a_group_headed_by_solved_examples(tmp_path):
    written(tmp_path, [row(0, "Where?", "A"), row(1, "When?", "D"), row(2, "Why?")], "dev/folk_tales_dev.csv")
    path = written(tmp_path, [row(0), row(1, '"How, then?"')])
    (group,) = read_exam(path, Intake(), exam=EXAM, shots=2)
    assert group.context == (
        "About folk tales.\n\n"
        "Where?\nA. Ada\nB.  Orin\nC. Mira\nD. Tove\nAnswer: A\n\n"
        "When?\nA. Ada\nB.  Orin\nC. Mira\nD. Tove\nAnswer: D\n\n"
    )
    assert (group.id, group.document) == ("folk_tales_test-0", "folk_tales")
    assert group.questions[1] == Question(
        "folk_tales_test-1",
        "How, then?",
        (" Orin",),
        ("Ada", " Orin", "Mira", "Tove"),
        (1,),
        document="folk_tales_test-1",
        category="folk_tales",
    )


def test_examples_may_be_packed(tmp_path):
    plain = written(tmp_path, [row(0, "Where?")], "dev/folk_tales_dev.csv")
    plain.with_name("folk_tales_dev.csv.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    (group,) = read_exam(written(tmp_path, [row(0)]), Intake(), exam=EXAM, shots=1)
    assert "Where?" in group.context


def test_without_examples_the_description_remains(tmp_path):
    (group,) = read_exam(written(tmp_path, [row(0)]), Intake(), exam=EXAM, shots=0)
    assert group.context == "About folk tales.\n\n"


def test_what_cannot_be_asked_is_left_out_and_counted(tmp_path):
    intake = Intake()
    (group,) = read_exam(written(tmp_path, [row(0), row(1), row(2, "Why?", "")]), intake, exam=EXAM, shots=0)
    assert [question.text for question in group.questions] == ["Who?"]
    assert intake.dropped == {"duplicate_questions": 1, "unanswered_questions": 1}


def test_subjects_not_asked_for_are_counted(tmp_path):
    intake, exam = Intake(), Exam(head="", template=TEMPLATE, only=frozenset({"music"}))
    assert read_exam(written(tmp_path, [row(0), row(1)]), intake, exam=exam, shots=0) == []
    assert intake.dropped == {"questions_of_other_subjects": 2}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(0), "1,Who"], r"folk_tales_test\.csv:3: 2 fields, the header has 7"),
        ([row(0), '1,"Who'], r"folk_tales_test\.csv:3: not valid CSV"),
        ([row(0), row(1, "")], r"folk_tales_test\.csv:3\.question: is empty"),
        ([row(0), row(1, "Why?", "E")], r"folk_tales_test\.csv:3\.answer: 'E' is none of A, B, C, D"),
        ([row(7), row(7, "Why?")], r"folk_tales_test\.csv:3: id 'folk_tales_test-7' occurs twice"),
    ],
)
def test_errors_name_file_and_line(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        read_exam(written(tmp_path, rows), Intake(), exam=EXAM, shots=0)


def test_another_header_is_an_error(tmp_path):
    path = written(tmp_path, ["Who?,B\n"], header="question,answer\n")
    with pytest.raises(DataError, match=r"folk_tales_test\.csv:2: no field 'a'\. It has: question, answer"):
        read_exam(path, Intake(), exam=EXAM, shots=0)


def test_another_encoding_is_an_error(tmp_path):
    path = written(tmp_path, [row(0)])
    path.write_bytes(path.read_bytes() + "1,谁?,甲,乙,丙,丁,B\n".encode("gb18030"))
    with pytest.raises(DataError, match=r"folk_tales_test\.csv:\d+: not UTF-8"):
        read_exam(path, Intake(), exam=EXAM, shots=0)


def test_a_truncated_archive_is_an_error(tmp_path):
    plain = written(tmp_path, [row(number, f"Who {number * 7919}?") for number in range(99)])
    path = plain.with_name("folk_tales_test.csv.gz")
    path.write_bytes(gzip.compress(plain.read_bytes())[:-40])
    with pytest.raises(DataError, match=r"truncated or corrupt after line"):
        read_exam(path, Intake(), exam=EXAM, shots=0)


def test_examples_must_be_there_and_enough_and_apart(tmp_path):
    path = written(tmp_path, [row(0)])
    with pytest.raises(DataError, match=r"no examples in .*folk_tales_dev\.csv\. Put them there"):
        read_exam(path, Intake(), exam=EXAM, shots=2)
    dev = written(tmp_path, [row(0)], "dev/folk_tales_dev.csv")
    with pytest.raises(DataError, match=r"1 examples, 2 are asked for"):
        read_exam(path, Intake(), exam=EXAM, shots=2)
    with pytest.raises(DataError, match=r"folk_tales_dev\.csv: holds the examples"):
        read_exam(dev, Intake(), exam=EXAM, shots=1)


def test_a_subject_without_a_name_is_an_error(tmp_path):
    exam = Exam(head="", template=TEMPLATE, names={"music": "音乐"})
    with pytest.raises(
        DataError, match=r"unknown subject 'folk_tales'\. Name the file after its subject, such as music"
    ):
        read_exam(written(tmp_path, [row(0)]), Intake(), exam=exam, shots=0)


ROW = {"Question": "Who?", "A": "Ada", "B": "Orin", "C": "Mira", "D": "Tove", "Answer": "B"}


def test_rows_come_together_by_subject():
    rows = [{**ROW, "subject": subject} for subject in ("music", "law", "music")]
    rows[2] |= {"Question": "Why?"}
    groups = exam_rows(rows, "owner/name:all test", Intake(), exam=EXAM, shots=0)
    assert [(group.document, [question.id for question in group.questions]) for group in groups] == [
        ("music", ["music_test-0", "music_test-1"]),
        ("law", ["law_test-0"]),
    ]


def test_rows_without_subject_are_of_the_configuration():
    (group,) = exam_rows([ROW], "owner/name:law val", Intake(), exam=EXAM, shots=1, examples=[ROW])
    assert group.context == "About law.\n\nWho?\nA. Ada\nB. Orin\nC. Mira\nD. Tove\nAnswer: B\n\n"
    assert (group.id, group.questions[0].correct) == ("law_val-0", (1,))


def test_rows_need_a_subject_and_examples():
    with pytest.raises(DataError, match=r"owner/name test row 0: no field 'subject'"):
        exam_rows([ROW], "owner/name test", Intake(), exam=EXAM, shots=0)
    with pytest.raises(DataError, match=r"owner/name:law test: law: 0 examples, 5 are asked for"):
        exam_rows([ROW], "owner/name:law test", Intake(), exam=EXAM, shots=5)


def test_few_shot_block_without_examples_is_its_head():
    assert few_shot_block("Head.\n\n", [], TEMPLATE) == "Head.\n\n"


@pytest.mark.parametrize("where", ["a/b/train.jsonl.xz", "train.csv", "owner/name:main train", "owner/name train"])
def test_split_name(where):
    assert split_name(where) == "train"
