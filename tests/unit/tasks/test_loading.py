import json
import shutil
from pathlib import Path

import pytest
import yaml

from pmind.corpora.builtin_medical import exam_task
from pmind.corpora.builtin_reading import reading_task
from pmind.errors import DataError
from pmind.params import TaskParams
from pmind.tasks.catalog import DATASETS
from pmind.tasks.grouping import check_disjoint
from pmind.tasks.intake import Intake
from pmind.tasks.loading import files_of, load_questions, load_task, read_source

ROOT = Path(__file__).parents[3]
SHARED = ROOT / "../shared/data"
SHIPPED = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["squad"]
needs_data = pytest.mark.skipif(not SHARED.is_dir(), reason="real data files are not beside the repository")


def params(name, source="builtin", **changes):
    """The shipped ones, of a few groups."""
    return TaskParams(
        **SHIPPED | {"dataset": name, "source": str(source), "train_groups": 24, "test_groups": 24} | changes
    )


def load(name, source="builtin", seed=1, **changes):
    return load_task(params(name, source, **changes), seed)


def all_ids(task):
    return [question.id for group in task.train + task.test for question in group.questions]


def written(path, data):
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["squad", "chained", "hinted", "cmb"])
def test_builtin_gives_what_is_asked_for(name):
    task = load(name)
    assert (len(task.train), len(task.test)) == (24, 24)
    assert len(set(all_ids(task))) == len(all_ids(task))
    assert not task.dropped
    assert load(name) == task
    assert load(name, seed=2).train != task.train


def test_builtin_cmb_holds_exam_and_clinical_groups():
    task = load("cmb")
    kinds = [group.id.split("-")[0] for group in task.test]
    assert (kinds.count("exam"), kinds.count("clin")) == (20, 4)
    for group in task.test:
        assert all(bool(question.options) == group.id.startswith("exam") for question in group.questions)


@pytest.mark.parametrize("name", ["chained", "hinted"])
def test_regrouping_takes_away_what_a_question_needs(name):
    def with_all_needs(groups):
        asked = [(question, {q.id for q in group.questions}) for group in groups for question in group.questions]
        return [known.issuperset(question.needs) for question, known in asked if question.needs]

    together, apart = (load(name, grouping=rule, train_groups=200, max_questions=8) for rule in ("context", "random"))
    assert all(with_all_needs(together.train))
    lost = with_all_needs(apart.train)
    assert len(lost) == len(with_all_needs(together.train))
    assert sum(lost) < 0.1 * len(lost)


def test_other_datasets_are_not_built_in():
    with pytest.raises(DataError, match="name its file or Hub id, or use squad, chained, hinted or cmb"):
        load("race")


@pytest.mark.parametrize(
    ("name", "data"), [("squad", reading_task("train", 60, 1)), ("cmb", exam_task("train", 60, 1))]
)
def test_a_local_file_is_split_by_document(name, data, tmp_path):
    task = load(name, written(tmp_path / "data.json", data))
    assert (len(task.train), len(task.test)) == (48, 12)
    check_disjoint({"train": task.train, "test": task.test})


def test_a_source_of_its_own_for_test(tmp_path):
    train = written(tmp_path / "train.json", exam_task("train", 8, 1))
    test = written(tmp_path / "test.json", exam_task("test", 6, 1))
    task = load("cmb", train, test_source=str(test))
    assert (len(task.train), len(task.test)) == (8, 6)
    with pytest.raises(DataError, match=r"id 'exam-train-.*' occurs twice"):
        load("cmb", train, test_source=str(train))


def test_a_hub_dataset_brings_its_own_splits(monkeypatch):
    splits = {split: exam_task(own, 8, 1) for split, own in [("train", "train"), ("test", "test"), ("val", "val")]}
    monkeypatch.setattr("datasets.load_dataset", lambda *_: splits)
    task = load("cmb", "owner/cmb:exam")
    assert all(question.id.startswith("exam-train") for group in task.train for question in group.questions)
    assert all(question.id.startswith("exam-val") for group in task.test for question in group.questions)
    assert {q.id for g in load_questions(params("cmb", "owner/cmb"), 1).test for q in g.questions} == {
        question.id for group in task.test for question in group.questions
    }
    del splits["val"], splits["test"]
    assert 0 < len(load("cmb", "owner/cmb:exam").test) < 8
    del splits["train"]
    with pytest.raises(DataError, match="has no split to use"):
        load("cmb", "owner/cmb:exam")


def test_training_questions_about_test_documents_are_left_out(monkeypatch):
    items = exam_task("train", 8, 1)
    cases = sorted({item["case"] for item in items})
    others = [item | {"id": f"other {item['id']}"} for item in items if item["case"] == cases[0]]
    monkeypatch.setattr("datasets.load_dataset", lambda *_: {"train": items, "test": others})
    task = load("cmb", "owner/cmb")
    assert {group.document for group in task.train} == {*cases[1:]}
    assert {group.document for group in task.test} == {cases[0]}
    assert task.dropped == {"training_questions_of_test_documents": len(others)}


def test_a_passage_under_another_title_is_the_same_document(monkeypatch):
    items = exam_task("train", 8, 1)
    background = items[0]["background"]
    others = [
        item | {"id": f"other {item['id']}", "case": "renamed"} for item in items if item["background"] == background
    ]
    monkeypatch.setattr("datasets.load_dataset", lambda *_: {"train": items, "test": others})
    task = load("cmb", "owner/cmb")
    assert background not in {group.context for group in task.train}
    assert task.dropped["training_questions_of_test_documents"] == len(others)


def test_an_unknown_name_gets_a_hint():
    with pytest.raises(DataError, match=r"unknown dataset 'sqaud'; did you mean 'squad'\?"):
        load("sqaud")


@pytest.mark.parametrize("rule", ["random", "similar"])
def test_regrouped_splits_share_no_document_and_lose_no_question(rule):
    task, asked = load("squad", grouping=rule, max_questions=5, seed=3), load("squad", seed=3)
    assert sorted(all_ids(task)) == sorted(all_ids(asked))
    check_disjoint({"train": task.train, "test": task.test})
    assert {len(group.questions) for group in task.train} <= {1, 2, 3, 4, 5}
    assert all(group.context == "" and group.questions[0].context for group in task.train)


def test_auto_is_the_datasets_own_rule():
    assert load("squad", grouping="auto") == load("squad", grouping=DATASETS["squad"].grouping)


def test_questions_to_evaluate_are_never_split(tmp_path):
    path = written(tmp_path / "data.json", reading_task("train", 12, 1))
    task = load_questions(params("squad", path), 1)
    assert (task.train, len(task.test)) == ([], 12)
    assert load_questions(params("squad"), 1).test == load("squad").test


def test_all_files_of_a_folder_are_read_in_their_order(tmp_path):
    (tmp_path / "b").mkdir()
    written(tmp_path / "b" / "1.json", reading_task("test", 2, 1))
    written(tmp_path / "a.json", reading_task("train", 4, 1))
    (tmp_path / "notes.txt").write_text("no data")
    groups = read_source(DATASETS["squad"], str(tmp_path), Intake())
    assert [group.id.split("-")[0] for group in groups] == ["train"] * 4 + ["test"] * 2


def test_the_first_pattern_that_matches_counts(tmp_path):
    for name in ("a.jsonl", "b.json", "c.json"):
        (tmp_path / name).touch()
    assert [path.name for path in files_of(DATASETS["squad"], tmp_path)] == ["b.json", "c.json"]


def test_a_folder_without_data_is_an_error(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match=r"no files such as \*\.json, "):
        files_of(DATASETS["squad"], tmp_path)


def test_a_source_of_which_nothing_is_left_says_why(tmp_path):
    article = {"title": "t", "paragraphs": [{"context": "c", "qas": [{"id": "1", "question": "Who?", "answers": []}]}]}
    path = written(tmp_path / "test.json", {"data": [article]})
    with pytest.raises(DataError, match="no questions to ask; left out were 1 unanswered_questions"):
        load_questions(params("squad", path), 1)


@pytest.mark.parametrize("source", ["", "gone.json"])
def test_no_source_is_an_error(source, tmp_path, monkeypatch):
    """An empty one is not the folder the command runs in."""
    written(tmp_path / "data.json", reading_task("train", 3, 1))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"neither 'builtin', nor a file or folder|no such file"):
        load_questions(params("squad", source), 1)


@needs_data
def test_real_squad_is_split_by_article():
    task = load("squad", SHARED / "squad/squad_train-v1.1.first_articles.json.xz")
    assert len(task.train) + len(task.test) == 678
    assert 0.15 < len(task.test) / 678 < 0.45
    assert len(all_ids(task)) == 4370 - task.dropped["duplicate_questions"]


@needs_data
def test_a_real_folder_is_read_whole(tmp_path):
    for level in ("middle", "high"):
        shutil.copy(SHARED / f"race/dev_{level}.jsonl.xz", tmp_path)
    both = load_questions(params("race", tmp_path), 1)
    middle = load_questions(params("race", tmp_path / "dev_middle.jsonl.xz"), 1)
    assert 0 < len(middle.test) < len(both.test)
