import math
import random

import pytest
import torch

from pmind.models.settings import Settings
from pmind.training import validation
from pmind.training.batches import NO_LABEL, Collator
from pmind.training.loss import summed_loss
from pmind.training.passages import cut_passages
from pmind.training.texts import text_sample
from pmind.training.validation import BRANCH_COUNTS, Row, loss_by_branches, validation_rows
from pmind.visibility import VISIBILITIES
from tests.tiny import VOCAB, wired_model

MOST = 9  # tokens of a text


def encode(texts):
    """Numbers as tokens."""
    return [[int(word) for word in text.split()] for text in texts]


def passages_of(*lengths):
    """Documents of so many passages, each of three sentences of random numbers."""
    rng = random.Random(str(lengths))
    documents = [
        [f"{rng.randrange(1, VOCAB)} {rng.randrange(1, VOCAB)} {rng.randrange(1, VOCAB)} " for _ in range(3 * length)]
        for length in lengths
    ]
    return cut_passages(documents, encode, MOST)


def rows_of(passages, beside, seed=1):
    return validation_rows(passages, encode, MOST, beside, seed)


def losses(rows, visibility="columnar", alignment="right", **changes):
    settings = Settings(alignment=alignment, visibility=visibility, **changes)
    model = wired_model("llama", settings)
    return loss_by_branches(model, rows, Collator(alignment, 0, 0), VISIBILITIES[visibility])


@pytest.fixture(scope="module")
def rows():
    return rows_of(passages_of(1, 1), "replays")


def test_replays_are_64_orders_of_each_passage():
    passages = passages_of(1, 1, 1)
    rows = rows_of(passages, "replays")
    assert sorted(row.context for row in rows) == sorted(passages.text(number).ids for number in range(3))
    for row in rows:
        assert len(row.texts) == 64
        assert all(sorted(text.ids) == sorted(row.context) for text in row.texts)
    assert len(rows_of(passages_of(5, 5), "replays")) == 2, "a row a document, not a passage"


def test_loose_texts_are_all_passages_and_none_twice_in_a_row():
    passages = passages_of(*[5] * 20)
    rows = rows_of(passages, None)
    texts = [tuple(text.ids) for row in rows for text in row.texts]
    assert [len(row.texts) for row in rows] == [64, 64]
    assert {len(row.context) for row in rows} == {0}
    assert set(texts) == {tuple(passages.text(number).ids) for number in range(100)}
    for row in rows:
        assert len({tuple(text.ids) for text in row.texts}) == 64


def test_few_texts_make_shorter_rows_and_leave_counts_out():
    rows = rows_of(passages_of(2, 3, 2), None)
    assert [len(row.texts) for row in rows] == [4, 4]
    assert all(len({tuple(text.ids) for text in row.texts}) == 4 for row in rows)
    assert {key for key in losses(rows) if key.startswith("loss.branches")} == {
        "loss.branches_1",
        "loss.branches_2",
        "loss.branches_4",
    }


def test_continuations_need_a_document_that_is_long_enough():
    passages = passages_of(3, 70, 64, 65)
    rows = rows_of(passages, "continuations")
    assert [row.context for row in rows] == [passages.text(first).ids for first in (3, 3 + 70 + 64)]
    following = [[passages.text(first + number).ids for number in range(1, 65)] for first in (3, 3 + 70 + 64)]
    assert [[text.ids for text in row.texts] for row in rows] == following
    short = passages_of(3, 64, 5)
    assert rows_of(short, "continuations") == rows_of(short, None)


def test_rows_depend_on_the_seed_alone():
    passages = passages_of(*[1] * 70)
    for beside in ("replays", None):
        assert rows_of(passages, beside, 1) == rows_of(passages, beside, 1) != rows_of(passages, beside, 2)


def test_keys_read_as_sentences(rows):
    values = losses(rows)
    names = ("loss", "perplexity", "loss.positions_0_7", "loss.positions_8_31")
    keys = [f"{name}.branches_{count}" for count in BRANCH_COUNTS for name in names]
    assert list(values) == keys
    for count in BRANCH_COUNTS:
        assert values[f"perplexity.branches_{count}"] == pytest.approx(math.exp(values[f"loss.branches_{count}"]))


def test_the_loss_is_the_trained_loss_a_label(rows):
    """One sample of 64 branches through the loss that training uses."""
    settings = Settings(alignment="right", visibility="columnar", rope_2d_ratio=0.25, branch_stride=16)
    batch = Collator("right", 0, 0)([text_sample(row.context, row.texts) for row in rows])
    with torch.no_grad():
        loss = summed_loss(wired_model("llama", settings), batch, VISIBILITIES["columnar"]).item() / batch.label_tokens
    values = losses(rows, rope_2d_ratio=0.25, branch_stride=16)
    assert values["loss.branches_64"] == pytest.approx(loss, rel=1e-5)


def test_losses_by_position_make_up_the_loss(rows):
    """Nine tokens and a stop token: places 1-7 are in the first band, 8 and the stop token's 9 in the second."""
    values = losses(rows)
    for count in BRANCH_COUNTS:
        near, far = (values[f"loss.positions_{band}.branches_{count}"] for band in ("0_7", "8_31"))
        assert values[f"loss.branches_{count}"] == pytest.approx((7 * near + 2 * far) / 9, rel=1e-6)
        assert near != pytest.approx(far, rel=1e-3)


def test_places_count_from_the_branchs_first_token():
    """An opening token and contexts of two lengths in one batch move no label to another place."""
    passages = passages_of(1, 1)
    samples = [text_sample(context, [passages.text(0), passages.text(1)]) for context in ([5], [5, 6, 7], ())]
    batch = Collator("right", 0, 0, opening=[3])(samples)
    labelled = batch.labels != NO_LABEL
    places = validation._places(batch)
    for row in range(3):
        assert places[row][labelled[row]].tolist() == [place for place in range(1, 10) for _ in range(2)]


def test_isolated_branches_without_numbers_lose_nothing_in_company(rows):
    """Isolated and at r = 0 a branch is alone whatever its company, so the same texts have the same loss."""
    values = losses(rows, "isolated", "own")
    for key, value in values.items():
        assert value == pytest.approx(values[f"{key.rpartition('_')[0]}_1"], rel=1e-5)


@pytest.mark.parametrize("beside", ["replays", None])
def test_columnar_branches_feel_their_company(beside):
    values = losses(rows_of(passages_of(*[1] * 64), beside)[:2], rope_2d_ratio=0.25, branch_stride=16)
    assert abs(values["loss.branches_64"] - values["loss.branches_1"]) > 1e-3


def test_every_count_sees_the_same_texts(rows, monkeypatch):
    seen = []

    def noted(context, texts):
        seen.append([(tuple(context), tuple(text.ids)) for text in texts])
        return text_sample(context, texts)

    monkeypatch.setattr(validation, "text_sample", noted)
    losses(rows)
    groups = {count: [group for group in seen if len(group) == count] for count in BRANCH_COUNTS}
    texts = {count: [pair for group in groups[count] for pair in group] for count in BRANCH_COUNTS}
    assert len(texts[1]) == 2 * 64
    assert all(texts[count] == texts[1] for count in BRANCH_COUNTS)


def test_parts_bound_what_is_read_at_once(monkeypatch):
    sizes = []

    def noted(model, batch, *rest):
        sizes.append(batch.token_ids.shape)
        return batch_logits(model, batch, *rest)

    batch_logits = validation.batch_logits
    monkeypatch.setattr(validation, "batch_logits", noted)
    monkeypatch.setattr(validation, "PART_TOKENS", 100)
    rows = rows_of(passages_of(*[1] * 16), None)
    whole = losses([Row(row.context, row.texts) for row in rows])
    assert all(rows * columns <= 100 or rows == 1 for rows, columns in sizes)
    assert {rows for rows, _ in sizes} >= {11, 5, 1}
    monkeypatch.setattr(validation, "PART_TOKENS", 10_000)
    assert losses(rows) == pytest.approx(whole, rel=1e-5)
