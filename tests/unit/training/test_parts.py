import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmind.training.batches import split_by_length
from pmind.training.objective import make_objective, take_share, upcoming_shares
from pmind.training.parts import cut_into_parts, share_parts
from tests.unit.training.resumable import COLLATE, TRAINING, random_sample

paddings = st.sampled_from(["bucket", "step", "fixed"])
lengths = st.lists(st.integers(1, 60), min_size=1, max_size=12)


def samples_of(sizes):
    return [random_sample(random.Random(str((size, at))), size) for at, size in enumerate(sizes)]


def ids(parts):
    return sorted(id(sample) for part in parts for sample in part.samples)


@given(lengths, paddings)
def test_every_sample_is_in_one_part_of_bounded_size(sizes, padding):
    samples = samples_of(sizes)
    parts = cut_into_parts(samples, 256, padding)
    assert ids(parts) == sorted(map(id, samples))
    assert all(part.size <= 256 or len(part.samples) == 1 for part in parts)


def test_buckets_are_those_of_the_validation_loss():
    samples = samples_of([50, 3, 48, 4, 200, 5])
    assert [part.samples for part in cut_into_parts(samples, 512, "bucket")] == split_by_length(samples, 512)


@pytest.mark.parametrize("opening", [(), (7,)])
@pytest.mark.parametrize("padding", ["step", "fixed"])
def test_parts_have_one_width(padding, opening):
    collate = type(COLLATE)("right", 0, 0, opening)
    params = replace(TRAINING, part_tokens=512, padding=padding)
    objective = make_objective(lambda *_: samples_of([50, 3, 48, 4]), collate, params, name="", seed=1)
    shapes = [tuple(batch.token_ids.shape) for batch, _ in take_share(objective(0), 0, 1).batches]
    assert len(shapes) > 1
    if padding == "fixed":
        assert set(shapes) == {(2, 256)}  # the longest sample has 200 tokens
    assert {width for _, width in shapes} == ({256} if padding == "fixed" else {200 + len(opening)})


@given(lengths, paddings, st.integers(1, 5))
def test_processes_share_all_samples_in_equally_many_parts(sizes, padding, count):
    samples = samples_of(sizes)
    shares = [share_parts(cut_into_parts(samples, 256, padding), rank, count) for rank in range(count)]
    assert len({len(share) for share in shares}) == 1
    counted = [part for share in shares for part in share if part.weight]
    assert ids(counted) == sorted(map(id, samples))
    assert all(part.size <= 256 or len(part.samples) == 1 for part in counted)


def test_two_processes_have_nearly_the_same_to_do():
    parts = cut_into_parts(samples_of([6] * 31), 4096, "bucket")
    assert len(parts) == 1
    loads = [sum(part.size for part in share_parts(parts, rank, 2)) for rank in range(2)]
    assert loads == [16 * 24, 15 * 24]


def test_one_process_keeps_the_parts_and_their_order():
    parts = cut_into_parts(samples_of([50, 3, 48, 4]), 256, "bucket")
    assert share_parts(parts, 0, 1) == parts


def objective(laid_out=None):
    def collate(samples):
        if laid_out is not None:
            laid_out.append(len(samples))
        return COLLATE(samples)

    collate.opening = ()

    def draw(rng, step):
        return [random_sample(rng, length) for length in (5, 5, 9, 9)]

    return make_objective(draw, collate, replace(TRAINING, part_tokens=80), name="test", seed=1)


def test_a_process_lays_out_its_own_parts_and_knows_the_labels_of_all():
    laid_out = []
    share = take_share(objective(laid_out)(0), 1, 2)
    everything = take_share(objective()(0), 0, 1)
    assert sum(laid_out) == 2
    assert share.label_tokens == everything.label_tokens == sum(b.label_tokens for b, _ in everything.batches)
    assert sum(share.lengths) == 2 * 4 * (5 + 9)


def test_workers_prepare_what_would_be_prepared_without_them():
    alone, ahead = (list(upcoming_shares(objective(), range(2, 6), 0, 1, workers)) for workers in (0, 2))
    assert len(alone) == len(ahead) == 4
    for one, other in zip(alone, ahead, strict=True):
        assert one.label_tokens == other.label_tokens
        for (batch, _), (prepared, _) in zip(one.batches, other.batches, strict=True):
            assert batch.token_ids.equal(prepared.token_ids)
            assert batch.labels.equal(prepared.labels)
