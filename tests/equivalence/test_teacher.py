"""A teacher that reads a whole flat batch says what it says to each question asked alone."""

import pytest
import torch

from pmind.models.loading import load_model
from pmind.models.settings import STOCK, Settings
from pmind.training.batches import Collator, Sample
from pmind.training.distillation import teacher_logits
from tests.groups import SHAPES, Group
from tests.reference import assert_close, dense_logits, differ, places, stock_logits
from tests.tiny import KINDS, stock_model, wired_model

GROUPS = [SHAPES[name] for name in ("ordinary", "empty_context", "one_branch", "wildly_unequal")]
PRETRAINED = Settings(visibility="columnar", alignment="right", rope_2d_ratio=0.5, branch_stride=5)
STORIES_SCALE = 10  # its logits reach 20


def batch_of(groups, alignment, offsets=None):
    samples = [
        Sample(group.context, group.prompts, group.answers, [True] * len(group.prompts), offsets) for group in groups
    ]
    return Collator(alignment, stop_id=0, pad_id=0)(samples)


def taught(teacher, batch):
    return teacher_logits(teacher, batch, torch.arange(batch.token_ids.shape[1]))


def check(logits, batch, groups, alone, scale=1.0) -> None:
    """Rows of LOGITS, branch by branch, are ALONE's for that question."""
    for row, group in enumerate(groups):
        for index in range(len(group.prompts)):
            branch = batch.coords[row, :, 0]
            own = (branch == index + 1).nonzero()[:, 0]
            expected = alone(group, index)[len(group.context) :]
            assert_close(logits[row, own], expected, scale)


@pytest.mark.parametrize("alignment", ["own", "right", "left"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stock_teacher(kind, alignment):
    batch, stock = batch_of(GROUPS, alignment), stock_model(kind)
    check(taught(wired_model(kind, STOCK), batch), batch, GROUPS, lambda group, i: stock_logits(stock, group.alone(i)))


def test_a_pretrained_teacher(stories_path, stories_stock):
    batch = batch_of(GROUPS, "right")
    logits = taught(load_model(stories_path)[0], batch)
    check(logits, batch, GROUPS, lambda group, i: stock_logits(stories_stock, group.alone(i)), STORIES_SCALE)


def test_offsets_of_branches_do_not_reach_the_teacher():
    group, stock = SHAPES["ordinary"], stock_model("llama")
    batch = batch_of([group], "right", [4, 0, 9])
    logits = taught(wired_model("llama", STOCK), batch)
    check(logits, batch, [group], lambda group, i: stock_logits(stock, group.alone(i)))


@pytest.mark.parametrize("encoding", ["replace", "offset"])
def test_a_teacher_with_branches_answers_each_as_its_first(encoding):
    settings = Settings(**vars(PRETRAINED) | {"branch_encoding": encoding})
    teacher, batch = wired_model("llama", settings), batch_of(GROUPS, "right")

    def alone(group: Group, index: int):
        single = Group(group.context, group.prompts[index : index + 1], group.answers[index : index + 1])
        layout = single.layout("right")
        logits = dense_logits(teacher, settings, layout)
        return logits[torch.cat((places(layout, 0), places(layout, 1)))]

    check(taught(teacher, batch), batch, GROUPS, alone)


def test_company_would_change_what_it_says():
    """Otherwise the tests above would show nothing."""
    group = SHAPES["ordinary"]
    batch, settings = batch_of([group], "right"), Settings(visibility="columnar", alignment="right")
    together = dense_logits(wired_model("llama", settings), settings, group.layout("right"))
    assert differ(taught(wired_model("llama", STOCK), batch)[0], together)
