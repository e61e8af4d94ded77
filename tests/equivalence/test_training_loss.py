"""DESIGN 5.9: isolated, the loss of a group is that of its branches trained on one by one."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from pmind.models.settings import Settings
from pmind.models.wiring import forward
from pmind.training.batches import Collator, Sample
from pmind.training.loss import summed_loss
from pmind.visibility import VISIBILITIES, dense_mask, isolated
from tests.groups import SHAPES, Group
from tests.reference import dense_logits, places
from tests.tiny import wired_model

STOP, PAD = 0, 0
KINDS = ("llama", "qwen2", "qwen3")
GROUPS = [SHAPES[name] for name in ("ordinary", "empty_context", "one_branch", "wildly_unequal")]


def sample_of(group: Group) -> Sample:
    return Sample(group.context, group.prompts, group.answers, complete=[True] * len(group.prompts))


@torch.no_grad()
def loss_one_by_one(model, settings, group) -> tuple[float, int]:
    """Sum and number of labels over branches, each alone with the context at the group's coords."""
    layout = group.layout(settings.alignment)
    total, labels = 0.0, 0
    for index, (prompt, answer) in enumerate(zip(group.prompts, group.answers, strict=True)):
        own = torch.cat((places(layout, 0), places(layout, index + 1)))  # context, prompt, answer
        coords = layout.coords[None, own]
        logits = forward(model, layout.token_ids[None, own], coords, dense_mask(isolated, coords, coords))[0]
        wanted = torch.tensor([*answer, STOP])
        first = len(group.context) + len(prompt) - 1  # the last prompt token predicts the first answer token
        total += cross_entropy(logits[first:], wanted, reduction="sum").item()
        labels += len(wanted)
    return total, labels


@pytest.mark.parametrize("alignment", ["own", "right", "left"])
@pytest.mark.parametrize("ratio", [0, 0.25])
@pytest.mark.parametrize("kind", KINDS)
def test_isolated_loss_is_that_of_single_branches(kind, ratio, alignment):
    settings = Settings(rope_2d_ratio=ratio, branch_stride=16, alignment=alignment, visibility="isolated")
    model = wired_model(kind, settings)
    collate = Collator(settings.alignment, STOP, PAD)
    for group in GROUPS:
        batch = collate([sample_of(group)])
        expected, labels = loss_one_by_one(model, settings, group)
        assert batch.label_tokens == labels
        with torch.no_grad():
            assert summed_loss(model, batch, isolated).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("visibility", ["isolated", "columnar"])
def test_padding_and_company_in_a_batch_change_no_loss(visibility):
    settings = Settings(rope_2d_ratio=0.25, branch_stride=16, alignment="right", visibility=visibility)
    model, rule = wired_model("llama", settings), VISIBILITIES[visibility]
    collate = Collator(settings.alignment, STOP, PAD)
    with torch.no_grad():
        together = summed_loss(model, collate([sample_of(group) for group in GROUPS]), rule).item()
        apart = sum(summed_loss(model, collate([sample_of(group)]), rule).item() for group in GROUPS)
    assert together == pytest.approx(apart, rel=1e-5)


def test_columnar_loss_depends_on_siblings():
    """The counterpart: were this equal too, the first test would prove nothing about visibility."""
    settings = Settings(rope_2d_ratio=0.25, branch_stride=16, alignment="right", visibility="columnar")
    model, group = wired_model("llama", settings), SHAPES["ordinary"]
    with torch.no_grad():
        loss = summed_loss(model, Collator("right", STOP, PAD)([sample_of(group)]), VISIBILITIES["columnar"]).item()
    assert abs(loss - loss_one_by_one(model, settings, group)[0]) > 0.01


def test_loss_reads_every_labelled_position_only():
    settings = Settings(alignment="right", visibility="isolated")
    model, group = wired_model("llama", settings), SHAPES["ordinary"]
    batch = Collator("right", STOP, PAD)([sample_of(group)])
    layout = group.layout("right")
    logits = dense_logits(model, settings, layout)
    with torch.no_grad():
        loss = summed_loss(model, batch, isolated).item()
    assert loss == pytest.approx(cross_entropy(logits, batch.labels[0], reduction="sum").item(), rel=1e-5)
