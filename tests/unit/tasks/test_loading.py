import json
from pathlib import Path

import pytest

from pmind.corpora.builtin_medical import exam_task
from pmind.corpora.builtin_reading import reading_task
from pmind.errors import DataError
from pmind.params import TaskParams
from pmind.tasks.grouping import check_disjoint
from pmind.tasks.loading import load_task

SHARED = Path(__file__).parents[3] / "../shared/data"


def load(name, source="builtin", train=24, test=24, seed=1):
    return load_task(name, TaskParams(source, train, test, 3, 10, 512), seed)


def all_ids(task):
    return [question.id for group in task.train + task.test for question in group.questions]


@pytest.mark.parametrize("name", ["squad", "cmb"])
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


@pytest.mark.parametrize(
    ("name", "data"), [("squad", reading_task("train", 60, 1)), ("cmb", exam_task("train", 60, 1))]
)
def test_a_local_file_is_split_by_document(name, data, tmp_path):
    (tmp_path / "data.json").write_text(json.dumps(data), encoding="utf-8")
    task = load(name, str(tmp_path / "data.json"))
    assert (len(task.train), len(task.test)) == (48, 12)
    check_disjoint({"train": task.train, "test": task.test})


def test_a_hub_dataset_brings_its_own_splits(monkeypatch):
    splits = {split: exam_task(own, 8, 1) for split, own in [("train", "train"), ("test", "test"), ("val", "val")]}
    monkeypatch.setattr("datasets.load_dataset", lambda *_: splits)
    task = load("cmb", "owner/cmb:exam")
    assert all(question.id.startswith("exam-train") for group in task.train for question in group.questions)
    assert all(question.id.startswith("exam-val") for group in task.test for question in group.questions)
    del splits["val"], splits["test"]
    assert 0 < len(load("cmb", "owner/cmb:exam").test) < 8
    del splits["train"]
    with pytest.raises(DataError, match="has no train split"):
        load("cmb", "owner/cmb:exam")


def test_splits_that_share_a_document_are_refused(monkeypatch):
    items = exam_task("train", 8, 1)
    monkeypatch.setattr("datasets.load_dataset", lambda *_: {"train": items, "test": items})
    with pytest.raises(DataError, match=r"document '\w+' is in train and in test"):
        load("cmb", "owner/cmb")


def test_an_unknown_name_is_an_error():
    with pytest.raises(DataError, match=r"unknown dataset 'race'\. Use squad or cmb"):
        load("race")


@pytest.mark.skipif(not SHARED.is_dir(), reason="real data files are not beside the repository")
def test_real_squad_is_split_by_article():
    task = load("squad", str(SHARED / "squad/squad_train-v1.1.first_articles.json.xz"))
    assert len(task.train) + len(task.test) == 678
    assert 0.15 < len(task.test) / 678 < 0.45
    assert len(all_ids(task)) == 4370 - task.dropped["duplicate_questions"]
