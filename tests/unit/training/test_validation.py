import random

import pytest

from pmind.models.settings import Settings
from pmind.training import validation
from pmind.training.batches import Collator
from pmind.training.samples import text_sample
from pmind.training.validation import BRANCH_COUNTS, loss_by_branches, validation_documents
from pmind.visibility import VISIBILITIES
from tests.tiny import VOCAB, wired_model

PASSAGES = [tuple(f"{random.Random(f'{i}{j}').randrange(1, VOCAB)} {j + 1} " for j in range(5)) for i in range(3)]
KEYS = [f"loss.branches_{count}" for count in BRANCH_COUNTS]


def encode(texts):
    """Numbers as tokens."""
    return [[int(word) for word in text.split()] for text in texts]


def losses(visibility, alignment, shared=True, **changes):
    settings = Settings(alignment=alignment, visibility=visibility, **changes)
    documents = validation_documents(PASSAGES, shared, seed=1)
    model = wired_model("llama", settings)
    return loss_by_branches(model, documents, encode, Collator(alignment, 0, 0), VISIBILITIES[visibility], 9)


def test_keys_read_as_sentences():
    values = losses("columnar", "right")
    assert list(values) == [*KEYS, "loss.tax_16"]
    assert values["loss.tax_16"] == values["loss.branches_16"] - values["loss.branches_1"]


def test_isolated_branches_without_numbers_lose_nothing_in_company():
    """Isolated and at r = 0 a branch is alone whatever its company, so the same texts have the same loss."""
    values = losses("isolated", "own")
    for key in KEYS:
        assert values[key] == pytest.approx(values["loss.branches_1"], rel=1e-5)


def test_columnar_branches_feel_their_company():
    values = losses("columnar", "right", rope_2d_ratio=0.25, branch_stride=16)
    assert abs(values["loss.tax_16"]) > 1e-3


@pytest.mark.parametrize("shared", [True, False])
def test_every_count_sees_the_same_texts(shared, monkeypatch):
    seen = []

    def noted(context, texts, *rest):
        seen.append([(context, text) for text in texts])
        return text_sample(context, texts, *rest)

    monkeypatch.setattr(validation, "text_sample", noted)
    losses("columnar", "right", shared)
    groups = {count: [group for group in seen if len(group) == count] for count in BRANCH_COUNTS}
    texts = {count: [pair for group in groups[count] for pair in group] for count in BRANCH_COUNTS}
    assert all(texts[count] == texts[1] for count in BRANCH_COUNTS)
    assert len(texts[1]) == 16 * len(PASSAGES)
    assert all((context != "") == shared for context, _ in texts[1])


def test_documents_depend_on_the_seed_alone():
    assert validation_documents(PASSAGES, True, 1) == validation_documents(PASSAGES, True, 1)
    assert validation_documents(PASSAGES, True, 1) != validation_documents(PASSAGES, True, 2)
