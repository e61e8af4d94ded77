import json
import tarfile
from pathlib import Path

import pytest

from pmind.errors import DataError
from pmind.tasks.intake import Intake
from pmind.tasks.prompts import render_group
from pmind.tasks.triviaqa import TRIVIAQA, read_triviaqa, triviaqa_groups, triviaqa_rows

SAMPLE = Path(__file__).resolve().parents[4] / "shared" / "data" / "fixtures" / "triviaqa-sample.tgz"
ENTRY = {
    "Question": "Who painted Rain?",
    "QuestionId": "tc_1",
    "QuestionSource": "quiz",
    "Answer": {
        "Value": "Orin",
        "Aliases": ["Orin of Torvale", "Orin", "O. Torvale"],
        "NormalizedAliases": ["orin of torvale", "orin", "o torvale"],
        "MatchedWikiEntityName": "Orin",
        "NormalizedMatchedWikiEntityName": "orin",
        "NormalizedValue": "orin",
        "Type": "WikipediaEntity",
    },
    "EntityPages": [],
    "SearchResults": [{"Filename": "1/1.txt", "Rank": 0, "Title": "Rain", "Url": "u", "Description": "d"}],
}
ANSWERS = ("Orin", "Orin of Torvale", "O. Torvale", "orin of torvale", "orin", "o torvale")


def trivia(*entries):
    return {"Data": list(entries), "Domain": "unfiltered-web", "Split": "dev", "VerifiedEval": False, "Version": 1.0}


def groups_of(*entries):
    intake = Intake()
    return triviaqa_groups(trivia(*entries), "f.json", intake), +intake.dropped


def write(tmp_path, data):
    (tmp_path / "f.json").write_text(json.dumps(data, indent=1), encoding="utf-8")
    return tmp_path / "f.json"


def test_a_question_is_a_group_without_context():
    (group,), dropped = groups_of(ENTRY)
    (question,) = group.questions
    assert (group.id, group.document, group.context) == ("tc_1", "tc_1", "")
    assert (question.id, question.text, question.document) == ("tc_1", "Who painted Rain?", "tc_1")
    assert (question.context, question.category) == ("", "WikipediaEntity")
    assert question.answers == ANSWERS
    assert not dropped


def test_answers_of_people_count_in_the_verified_set():
    (group,), _ = groups_of({**ENTRY, "Answer": {**ENTRY["Answer"], "HumanAnswers": ["Orin", "the painter Orin"]}})
    assert group.questions[0].answers == (*ANSWERS, "the painter Orin")


def test_a_question_of_the_test_set_is_left_out_and_counted():
    entry = {name: value for name, value in ENTRY.items() if name != "Answer"}
    assert groups_of(entry) == ([], {"unanswered_questions": 1})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, r"Data\[1\]: id 'tc_1' occurs twice, first at .*Data\[0\]"),
        ({"QuestionId": 2}, r"Data\[1\]\.QuestionId: expected a text, found int"),
        ({"QuestionId": "b", "Question": " "}, r"Data\[1\]\.Question: is empty"),
        ({"QuestionId": "b", "Answer": "Orin"}, r"Data\[1\]\.Answer: expected an object, found str"),
        ({"QuestionId": "b", "Answer": {"Value": "Orin"}}, r"Data\[1\]\.Answer: no field 'Aliases'"),
    ],
)
def test_another_schema_is_an_error_that_names_the_line(tmp_path, changes, message):
    path = write(tmp_path, trivia(ENTRY, {**ENTRY, **changes}))
    lines = path.read_text(encoding="utf-8").splitlines()
    starts = [number for number, line in enumerate(lines, start=1) if line == "  {"]
    with pytest.raises(DataError, match=rf"f\.json:\d+: {message}") as error:
        read_triviaqa(path, Intake())
    assert starts[1] <= int(str(error.value).removeprefix(f"{path}:").split(":")[0]) < len(lines)


def test_a_truncated_file_and_another_encoding_are_errors(tmp_path):
    path = write(tmp_path, trivia(ENTRY))
    path.write_text(path.read_text(encoding="utf-8")[:-30], encoding="utf-8")
    with pytest.raises(DataError, match=r"f\.json:\d+: not valid JSON"):
        read_triviaqa(path, Intake())
    path.write_bytes('{"Data": ["é"]}'.encode("latin-1"))
    with pytest.raises(DataError, match=r"f\.json:1: not UTF-8"):
        read_triviaqa(path, Intake())


ROW = {
    "question": "Who painted Rain?",
    "question_id": "tc_1",
    "question_source": "quiz",
    "entity_pages": {"doc_source": [], "filename": [], "title": [], "wiki_context": []},
    "search_results": {"description": [], "filename": [], "rank": [], "title": [], "url": [], "search_context": []},
    "answer": {
        "aliases": ENTRY["Answer"]["Aliases"],
        "normalized_aliases": ENTRY["Answer"]["NormalizedAliases"],
        "matched_wiki_entity_name": "Orin",
        "normalized_matched_wiki_entity_name": "orin",
        "normalized_value": "orin",
        "type": "WikipediaEntity",
        "value": "Orin",
    },
}


def test_rows_of_the_hub_become_the_same_groups():
    assert triviaqa_rows([ROW], "hub", Intake()) == groups_of(ENTRY)[0]


def test_rows_of_the_hubs_test_split_are_left_out_and_counted():
    intake = Intake()
    answer = {"aliases": [], "normalized_aliases": [], "value": "<unk>", "normalized_value": "", "type": ""}
    assert triviaqa_rows([{**ROW, "answer": answer}], "hub", intake) == []
    assert intake.dropped == {"unanswered_questions": 1}


def test_a_row_of_another_schema_is_named():
    with pytest.raises(DataError, match=r"hub row 1: no field 'question_id'"):
        triviaqa_rows([ROW, {"question": "q?"}], "hub", Intake())
    with pytest.raises(DataError, match=r"hub row 0\.Answer: no field 'Aliases'"):
        triviaqa_rows([{**ROW, "answer": {"value": "Orin"}}], "hub", Intake())


def test_a_prompt():
    (group,), _ = groups_of(ENTRY)
    assert "".join(render_group(group, TRIVIAQA.template)) == "Question: Who painted Rain??\nAnswer: Orin"


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    if not SAMPLE.is_file():
        pytest.skip("no ../shared/data/fixtures/triviaqa-sample.tgz beside the repository")
    folder = tmp_path_factory.mktemp("triviaqa")
    with tarfile.open(SAMPLE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.mark.parametrize(
    ("file", "ids", "answers"),
    [
        ("web-dev", ["tc_2", "tc_33"], [2, 9]),
        ("web-train", ["tc_1", "tc_3", "tc_5"], [9, 39, 8]),
        ("wikipedia-dev", ["tc_33", "tc_40"], [9, 9]),
        ("wikipedia-train", ["tc_3", "tc_8", "tc_9", "tc_10"], [39, 97, 96, 13]),
    ],
)
def test_real_files_are_read_whole(sample, file, ids, answers):
    intake = Intake()
    groups = read_triviaqa(sample / "qa" / f"{file}.json", intake)
    assert [group.id for group in groups] == ids
    assert [len(group.questions[0].answers) for group in groups] == answers
    assert {group.questions[0].category for group in groups} == {"WikipediaEntity"}
    assert not +intake.dropped


def test_the_web_and_the_wikipedia_set_share_questions_so_a_folder_reads_one(sample):
    for pattern in TRIVIAQA.files:
        files = sorted(path.name for path in sample.rglob(pattern))
        if files:
            break
    assert files == ["wikipedia-dev.json", "wikipedia-train.json"]
    intake = Intake()
    read_triviaqa(sample / "qa" / "wikipedia-dev.json", intake)
    with pytest.raises(DataError, match=r"web-dev\.json:\d+: Data\[1\]: id 'tc_33' occurs twice, first at .*wikipedia"):
        read_triviaqa(sample / "qa" / "web-dev.json", intake)
