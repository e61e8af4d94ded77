import torch
from hypothesis import given
from hypothesis import strategies as st

from pmind.geometry import CONTEXT, PADDING, PROMPT, build_layout
from pmind.training.batches import NO_LABEL, Collator, Sample, branch_labels, split_by_length
from tests.groups import SHAPES, Group, any_group

STOP, PAD = 97, 98  # in no random group
alignments = st.sampled_from(["own", "right", "left"])


def labels_by_branch(group: Group, alignment, complete):
    layout = group.layout(alignment)
    labels = branch_labels(layout, complete, STOP)
    return [labels[layout.branch == number].tolist() for number in range(len(group.prompts) + 1)]


@given(any_group(), alignments)
def test_labels_are_the_same_branchs_next_answer_tokens(group, alignment):
    context, *branches = labels_by_branch(group, alignment, [True] * len(group.prompts))
    assert context == [NO_LABEL] * len(group.context)
    for prompt, answer, labels in zip(group.prompts, group.answers, branches, strict=True):
        assert labels == [NO_LABEL] * (len(prompt) - 1) + [*answer, STOP]


def test_labels_never_cross_branches_in_flat_order():
    """Two branches alternate in flat order; a label shifted by one flat place would be a sibling's token."""
    layout = build_layout([1], [[], []], [[10, 11, 12], [20, 21, 22]], alignment="right")
    assert layout.token_ids.tolist() == [1, 10, 20, 11, 21, 12, 22]
    assert branch_labels(layout, [True, True], STOP).tolist() == [NO_LABEL, 11, 21, 12, 22, STOP, STOP]


def test_a_branchs_first_token_is_no_label_without_a_prompt():
    layout = build_layout([1, 2], [[], []], [[10, 11], [20]], alignment="own")
    labels = branch_labels(layout, [True, True], STOP).tolist()
    assert 10 not in labels
    assert 20 not in labels


def test_a_cut_text_does_not_stop():
    group = SHAPES["ordinary"]
    _, *branches = labels_by_branch(group, "right", [True, False, True])
    assert [labels[-1] for labels in branches] == [STOP, NO_LABEL, STOP]


@given(any_group(), alignments)
def test_the_stop_token_is_predicted_but_never_fed(group, alignment):
    sample = Sample(group.context, group.prompts, group.answers, [True] * len(group.prompts))
    batch = Collator(alignment, STOP, PAD)([sample])
    assert STOP not in batch.token_ids
    assert (batch.labels == STOP).sum() == len(group.prompts)
    assert sample.label_tokens == batch.label_tokens


def test_padding_has_no_labels():
    long, short = SHAPES["ordinary"], SHAPES["one_branch"]
    samples = [Sample(g.context, g.prompts, g.answers, [True] * len(g.prompts)) for g in (long, short)]
    batch = Collator("right", STOP, PAD)(samples)
    padding = batch.token_ids == PAD
    assert padding[1].sum() == len(samples[0]) - len(samples[1])
    assert (batch.labels[padding] == NO_LABEL).all()
    assert batch.label_tokens == sum(len(answer) + 1 for sample in samples for answer in sample.answers)


def test_column_offsets_move_branches_and_leave_labels():
    sample = Sample([1], [[], []], [[10, 11], [20, 21]], [True, True], column_offsets=[3, 0])
    batch = Collator("right", STOP, PAD)([sample])
    rows = torch.stack((batch.token_ids[0], batch.coords[0, :, 1], batch.labels[0]), dim=1)
    assert rows.tolist() == [[1, 0, NO_LABEL], [20, 1, 21], [21, 2, STOP], [10, 4, 11], [11, 5, STOP]]


def test_parts_hold_similar_lengths_and_lose_nobody():
    samples = [Sample([1] * length, [[2]], [[3]], [True]) for length in (50, 3, 48, 4, 200, 5)]
    parts = split_by_length(samples, max_tokens=104)
    assert [[len(sample) for sample in part] for part in parts] == [[202], [52, 50], [7, 6, 5]]
    assert all(len(part) == 1 or len(part[0]) * len(part) <= 104 for part in parts)


def test_roles_of_a_pretraining_sample_are_all_answers():
    layout = build_layout([1], [[]], [[5, 6]], alignment="right")
    assert PROMPT not in layout.roles
    assert layout.roles[0] == CONTEXT
    assert torch.equal(branch_labels(layout, [False], STOP), torch.tensor([NO_LABEL, 6, NO_LABEL]))


def test_a_sample_knows_its_labels_before_it_is_laid_out():
    sample = Sample([1], [[], [5]], [[10, 11], [20]], [True, False])
    assert sample.label_tokens == Collator("right", STOP, PAD)([sample]).label_tokens == 3


def test_added_padding_is_neither_seen_nor_learnt():
    batch = Collator("right", STOP, PAD)([Sample([1], [[2]], [[3]], [True])])
    wider = batch.padded(rows=2, columns=5)
    assert wider.token_ids.shape == (2, 5)
    assert wider.coords.shape == (2, 5, 2)
    assert wider.label_tokens == batch.label_tokens == 2
    assert (wider.coords[0, 3:] == PADDING).all()
    assert (wider.coords[1] == PADDING).all()
    assert torch.equal(wider.token_ids[0, :3], batch.token_ids[0])
    assert torch.equal(batch.padded(0, 0).coords, batch.coords)
