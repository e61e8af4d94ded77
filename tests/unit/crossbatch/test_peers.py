import pytest
import torch

from pmind.crossbatch.peers import ENDED, answer_peers, column_peers
from pmind.training.batches import NO_LABEL, Collator, Sample
from tests.groups import SHAPES
from tests.unit.crossbatch.modules import batch_of
from tests.unit.training.resumable import SETTINGS

OWN = Collator("own", 0, 0)


def peers_of(batch) -> list[set[int]]:
    """Each step's flat places."""
    table = answer_peers(batch.coords, batch.labels != NO_LABEL)
    return [{place for place in row if place != ENDED} for row in table.tolist()]


def words_of(batch) -> list[set[int]]:
    """Each step's tokens."""
    return [{int(batch.token_ids.flatten()[place]) for place in places} for places in peers_of(batch)]


@pytest.mark.parametrize("alignment", ["own", "right", "left"])
def test_a_step_is_a_rank_in_the_answer_under_every_alignment(alignment):
    sample = Sample([1], [[11, 12, 13], [21]], [[14, 15], [22, 23, 24]], [True, True])
    batch = Collator(alignment, 0, 0)([sample])
    assert words_of(batch) == [{13, 21}, {14, 22}, {15, 23}, {24}]


def test_the_last_token_of_an_answer_that_was_cut_takes_no_part():
    """Decoding never feeds it: the answer ends there because no more was asked for."""
    batch = OWN([Sample([1], [[11], [21]], [[12, 13], [22, 23]], [False, True])])
    assert words_of(batch) == [{11, 21}, {12, 22}, {23}]


def test_groups_never_meet():
    samples = [
        Sample([1], [[10 * row], [10 * row + 1]], [[10 * row + 2], [10 * row + 3]], [True] * 2) for row in (1, 2)
    ]
    assert words_of(OWN(samples)) == [{10, 11}, {12, 13}, {20, 21}, {22, 23}]


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side_takes_no_part(side):
    """Trap: rows that are padded on the left, indexed as if they were padded on the right."""
    batch = OWN([Sample([1, 2], [[11, 12], [21]], [[13], [22, 23]], [True] * 2)])
    width = batch.token_ids.shape[1]
    padded = batch.padded(1, width + 3)
    if side == "left":
        parts = (padded.token_ids, padded.coords, padded.labels)
        padded = type(batch)(*(part.roll(3, dims=1) for part in parts))
        assert padded.coords[0, 0].tolist() == [-1, -1]
    assert words_of(padded) == words_of(batch) == [{12, 21}, {13, 22}, {23}]


def test_the_order_of_tokens_in_a_row_means_nothing():
    batch = batch_of(SETTINGS, SHAPES["wildly_unequal"])
    order = torch.randperm(batch.token_ids.shape[1], generator=torch.Generator().manual_seed(0))
    shuffled = type(batch)(batch.token_ids[:, order], batch.coords[:, order], batch.labels[:, order])
    back = [{int(order[place]) for place in places} for places in peers_of(shuffled)]
    assert back == peers_of(batch)


def test_a_column_is_one_step_of_each_group():
    assert column_peers([3, 1, 2]).tolist() == [[0, 1, 2], [3, ENDED, ENDED], [4, 5, ENDED]]


def test_a_batch_without_labels_has_no_peers():
    assert answer_peers(torch.zeros(2, 3, 2, dtype=torch.int64), torch.zeros(2, 3, dtype=torch.bool)).shape == (0, 0)
