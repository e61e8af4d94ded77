"""Models say which method they were trained for."""

from dataclasses import replace

import pytest

from pmind.errors import ModelError
from pmind.training.learnt import Learnt, find_learnt, forget_learnt, write_learnt

LEARNT = Learnt("crossbatch", "models/base", "9f2c", "squad", "context")


def test_every_model_below_a_folder_is_found(tmp_path):
    for name, train in (("b", "baseline"), ("a/deep", "lora_crossbatch")):
        (tmp_path / name).mkdir(parents=True)
        write_learnt(tmp_path / name, replace(LEARNT, train=train))
    found = list(find_learnt(tmp_path))
    assert [(path, learnt.method) for path, learnt in found] == [
        (tmp_path / "a/deep", "lora_crossbatch"),
        (tmp_path / "b", "finetuned"),
    ]
    forget_learnt(tmp_path / "b")
    forget_learnt(tmp_path / "b")
    assert len(list(find_learnt(tmp_path))) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "does not say what learnt"),
        ('{"train": "crossbatch"}', "does not say what learnt"),
        ('{"train": "x", "base": "", "weights": "", "dataset": "", "grouping": ""}', "train is 'x', none of baseline"),
    ],
)
def test_a_file_that_says_something_else(tmp_path, text, message):
    (tmp_path / "learnt.json").write_text(text)
    with pytest.raises(ModelError, match=message):
        list(find_learnt(tmp_path))
