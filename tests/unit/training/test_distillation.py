import pytest
import torch
from hypothesis import given

from pmind.geometry import build_layout
from pmind.models.settings import Settings
from pmind.training.batches import NO_LABEL, Collator, Sample
from pmind.training.distillation import coords_alone, distilled_loss
from pmind.training.loss import summed_loss
from pmind.visibility import VISIBILITIES, columnar, isolated
from tests.groups import SHAPES, any_group
from tests.tiny import wired_model

LONELY = Settings()  # what a stock model is wired with
BRANCHED = Settings(visibility="columnar", alignment="right", rope_2d_ratio=0.5, branch_stride=16)
GROUPS = [SHAPES[name] for name in ("ordinary", "empty_context", "wildly_unequal")]


def batch_of(alignment):
    samples = [Sample(group.context, group.prompts, group.answers, [True] * len(group.prompts)) for group in GROUPS]
    return Collator(alignment, stop_id=0, pad_id=0)(samples)


def gradient(model, loss, batch):
    model.zero_grad()
    loss(model, batch).backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


@given(group=any_group())
def test_alone_a_branch_stands_as_under_own(group):
    """Whatever the alignment was, and whatever offset a branch had."""
    own = group.layout("own").coords
    for alignment, offsets in [("own", None), ("right", None), ("left", range(len(group.prompts)))]:
        layout = build_layout(
            group.context, group.prompts, group.answers, alignment=alignment, column_offsets=offsets and [*offsets]
        )
        coords = coords_alone(layout.coords[None])[0]
        assert sorted(coords.tolist()) == sorted(own.tolist())


def test_alone_keeps_padding_and_every_tokens_branch():
    batch = batch_of("right")
    alone = coords_alone(batch.coords)
    assert torch.equal(alone[..., 0], batch.coords[..., 0])
    assert torch.equal(alone[batch.coords < 0], batch.coords[batch.coords < 0])
    assert (batch.coords < 0).any()


def test_a_student_that_is_its_teacher_has_nothing_to_learn():
    batch, teacher, student = batch_of("own"), wired_model("llama", LONELY), wired_model("llama", LONELY)
    learnt = gradient(student, distilled_loss(teacher, 1.0, isolated), batch)
    assert learnt.abs().max() < 1e-4
    assert gradient(student, distilled_loss(teacher, 0.5, isolated), batch).abs().max() > 1


def test_a_student_in_company_learns_from_its_teacher():
    """The counterpart: were columnar reading nothing new, the test above would show nothing."""
    loss = distilled_loss(wired_model("llama", LONELY), 1.0, columnar)
    assert gradient(wired_model("llama", BRANCHED), loss, batch_of("right")).abs().max() > 1


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_the_two_parts_of_the_loss_are_weighed(share):
    batch, rule = batch_of("right"), VISIBILITIES[BRANCHED.visibility]
    teacher, student = wired_model("llama", LONELY), wired_model("llama", BRANCHED)
    loss = distilled_loss(teacher, share, rule)(student, batch).item()
    entropy, distance = summed_loss(student, batch, rule).item(), distilled_loss(teacher, 1.0, rule)(student, batch)
    assert loss == pytest.approx((1 - share) * entropy + share * distance.item(), rel=1e-5)
    assert distance > 1


def test_the_distance_is_to_what_the_teacher_says_alone():
    """Gradient descent on it makes the student's words in company those of the teacher alone."""
    batch, teacher, student = batch_of("right"), wired_model("llama", LONELY), wired_model("llama", BRANCHED)
    loss = distilled_loss(teacher, 1.0, columnar)
    optimizer = torch.optim.Adam(student.parameters(), lr=0.01)
    distances = []
    for _ in range(40):
        optimizer.zero_grad()
        distance = loss(student, batch)
        distance.backward()
        optimizer.step()
        distances.append(distance.item())
    assert distances[-1] < distances[0] / 10


def test_the_teacher_learns_nothing_and_drops_nothing():
    batch, student = batch_of("right"), wired_model("llama", BRANCHED)
    teacher = wired_model("llama", LONELY, attention_dropout=0.5).train()
    loss = distilled_loss(teacher, 1.0, columnar)
    first = loss(student, batch)
    first.backward()
    assert loss(student, batch).item() == first.item()
    assert all(parameter.grad is None for parameter in teacher.parameters())


def test_places_without_a_label_count_nothing():
    batch, teacher, student = batch_of("right"), wired_model("llama", LONELY), wired_model("llama", BRANCHED)
    half = batch.labels.clone()
    half[1:] = NO_LABEL
    loss = distilled_loss(teacher, 1.0, columnar)
    first = Collator("right", 0, 0)([Sample(GROUPS[0].context, GROUPS[0].prompts, GROUPS[0].answers, [True] * 3)])
    alone = loss(student, first).item()
    assert loss(student, type(batch)(batch.token_ids, batch.coords, half)).item() == pytest.approx(alone, rel=1e-4)
