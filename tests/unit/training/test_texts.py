import random
from collections import Counter
from pathlib import Path

import pytest
import yaml

from pmind.errors import ParamsError
from pmind.params import PretrainParams
from pmind.training.batches import NO_LABEL, Collator
from pmind.training.passages import cut_passages
from pmind.training.texts import TextSteps, branch_counts, replays, sample_count

ROOT = Path(__file__).parents[3]
SHIPPED = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["pretrain"]
STOP, PAD = 0, 1
SENTENCE = 4  # words


def encode(texts):
    """Numbers as tokens, so that a sample can be read."""
    return [[int(word) for word in text.split()] for text in texts]


def document(number, passages):
    """Sentences of SENTENCE numbers each, all different: hundreds are the document."""
    first = 100 * (number + 1)
    return tuple(
        "".join(f"{first + SENTENCE * sentence + word} " for word in range(SENTENCE))
        for sentence in range(2 * passages)
    )


DOCUMENTS = [document(number, passages) for number, passages in enumerate([1, 3, 6, 1, 9, 2, 4])]
PASSAGES = cut_passages(DOCUMENTS, encode, 2 * SENTENCE)  # two sentences each
BY_TEXT = {tuple(PASSAGES.text(number).ids): number for number in range(len(PASSAGES))}


def steps(seed=1, passages=PASSAGES, **changes):
    options = {
        "batch_size": 6,
        "min_branches": 1,
        "max_branches": 15,
        "max_branch_tokens": 2 * SENTENCE,
        "shared_context_share": 0.0,
    }
    return TextSteps(passages, encode, STOP, PretrainParams(**SHIPPED | options | changes), seed)


def draw(step, **changes):
    return steps(**changes)(random.Random(step), step)


def read(samples):
    """Numbers of the passages that are branches, in order."""
    return [BY_TEXT[tuple(answer)] for sample in samples for answer in sample.answers]


@pytest.mark.parametrize("bounds", [(1, 15), (4, 4), (2, 3), (1, 2)])
def test_the_branch_range_changes_no_text_and_no_order(bounds):
    least, most = bounds
    for step in range(12):
        alone = draw(step, min_branches=1, max_branches=1)
        together = draw(step, min_branches=least, max_branches=most)
        assert read(alone) == read(together)
        assert {len(sample.answers) for sample in alone} == {1}
        assert max(len(sample.answers) for sample in together) > 1


def test_epochs_cover_every_passage_once():
    numbers = [number for step in range(13) for number in read(draw(step))]
    assert len(PASSAGES) == 26
    for epoch in range(3):
        assert sorted(numbers[26 * epoch : 26 * (epoch + 1)]) == list(range(26))


def test_a_resumed_run_reads_on():
    whole = steps()
    samples = [whole(random.Random(step), step) for step in range(9)]
    resumed = steps()
    assert [resumed(random.Random(step), step) for step in range(7, 9)] == samples[7:]


def test_the_seed_changes_the_order():
    assert read(draw(0, seed=1)) != read(draw(0, seed=2))


def test_every_step_has_its_number_of_texts():
    for share in (0.0, 0.4, 1.0):
        for shared in ("replays", "continuations"):
            for step in range(8):
                samples = draw(step, shared_context_share=share, shared_context=shared, max_branches=4)
                assert sum(len(sample.answers) for sample in samples) == 6
                assert all(1 <= len(sample.answers) <= 4 for sample in samples)


def test_replays_tell_their_contexts_sentences_and_contexts_come_epoch_by_epoch():
    changes = {"shared_context_share": 1.0, "min_branches": 2, "max_branches": 4}  # 2 samples a step
    samples = [sample for step in range(13) for sample in draw(step, **changes)]
    assert sorted(BY_TEXT[tuple(sample.context)] for sample in samples) == list(range(26))
    for sample in samples:
        assert all(sorted(answer) == sorted(sample.context) for answer in sample.answers)
        assert all(prompt == () for prompt in sample.prompts)
        assert all(sample.complete)


def test_replays_come_in_many_orders():
    orders = Counter(tuple(text.ids) for text in replays(("1 ", "2 ", "3 "), 200, encode, 9, random.Random(1)))
    assert len(orders) == 6


def test_long_replays_are_cut_and_marked():
    texts = replays(("1 2 ", "3 "), 20, encode, 2, random.Random(1))
    assert {(len(text.ids), text.complete) for text in texts} == {(2, False)}


def test_continuations_follow_their_context_in_its_document():
    lengths = set()
    for step in range(30):
        for sample in draw(step, shared_context_share=1.0, shared_context="continuations", max_branches=4):
            if sample.context:
                context = BY_TEXT[tuple(sample.context)]
                lengths.add(len(sample.answers))
                assert read([sample]) == list(range(context + 1, context + 1 + len(sample.answers)))
                assert context + len(sample.answers) in PASSAGES.document_of(context)
    assert lengths == {1, 2, 3, 4}


def test_continuations_are_as_many_as_drawn_where_the_document_has_them():
    """A context near the document's end gives way to an earlier one; only short documents give fewer."""
    changes = {"shared_context_share": 1.0, "shared_context": "continuations", "min_branches": 3, "max_branches": 3}
    for step in range(30):
        for sample in draw(step, **changes):
            if sample.context:
                document = PASSAGES.document_of(BY_TEXT[tuple(sample.context)])
                assert len(sample.answers) == min(3, len(document) - 1)


def test_documents_of_one_passage_are_read_without_a_context():
    single = cut_passages([document(number, 1) for number in range(9)], encode, 2 * SENTENCE)
    for step in range(5):
        changes = {"shared_context_share": 1.0, "shared_context": "continuations"}
        with_context = draw(step, passages=single, **changes)
        assert all(sample.context == () for sample in with_context)
        assert read_of(with_context) == read_of(draw(step, passages=single))


def read_of(samples):
    return [answer for sample in samples for answer in sample.answers]


def test_column_offsets_stay_within_their_bound():
    assert draw(0)[0].column_offsets is None
    samples = [sample for step in range(20) for sample in draw(step, max_column_offset=3)]
    assert {offset for sample in samples for offset in sample.column_offsets} == {0, 1, 2, 3}
    assert all(len(sample.column_offsets) == len(sample.answers) for sample in samples)


SHORT = cut_passages([("5 6 7 ",), ("8 9 ",), ("10 11 12 ",), ("13 14 15 16 17 18 19 20 21 ",)], encode, 8)


def joined_branches(number):
    """Branches of so many steps with joined texts, each as (ids, complete)."""
    samples = [s for step in range(number) for s in draw(step, passages=SHORT, packing="join", max_branch_tokens=8)]
    return [pair for sample in samples for pair in zip(sample.answers, sample.complete, strict=True)]


def test_joined_texts_end_with_the_stop_token_each_and_are_never_cut():
    texts = {tuple(SHORT.text(number).ids) for number in range(4)}
    branches = joined_branches(20)
    assert max(ids.count(STOP) for ids, _ in branches) == 1
    for ids, complete in branches:
        assert len(ids) <= 8
        ends = [place for place, token in enumerate(ids) if token == STOP]
        parts = [ids[a:b] for a, b in zip([0, *(end + 1 for end in ends)], [*ends, len(ids)], strict=True)]
        assert {tuple(part) for part in parts} <= texts
        assert complete == (len(ids) < 8)  # the one text that was cut fills its branch alone


def test_stop_tokens_between_joined_texts_are_learnt_and_the_next_text_after_them():
    sample = next(
        sample
        for step in range(20)
        for sample in draw(step, passages=SHORT, packing="join", max_branch_tokens=8, max_branches=1)
        if STOP in sample.answers[0]
    )
    batch = Collator("right", STOP, PAD)([sample])
    ids = sample.answers[0]
    assert batch.token_ids[0].tolist() == ids  # the last stop token is not fed
    assert batch.labels[0].tolist() == [*ids[1:], STOP]
    assert (batch.labels == NO_LABEL).sum() == 0


def test_packing_that_would_do_nothing_is_refused():
    with pytest.raises(ParamsError, match=r"packing: join .* shared_context_share 1"):
        steps(packing="join", shared_context_share=1.0)


@pytest.mark.parametrize(
    "texts, least, most", [(36, 1, 8), (36, 16, 16), (7, 4, 5), (3, 4, 8), (64, 1, 64), (12, 4, 5)]
)
def test_samples_share_all_texts_out_within_the_bounds_where_that_can_be(texts, least, most):
    possible = any(count * least <= texts <= count * most for count in range(1, texts + 1))
    for seed in range(40):
        counts = branch_counts(texts, least, most, random.Random(seed))
        assert sum(counts) == texts
        assert len(counts) == sample_count(texts, least, most)
        assert all(least <= count <= most for count in (counts if possible else counts[:-1]))
        assert 0 < counts[-1] <= most


def test_branch_counts_are_drawn_alike_between_the_bounds():
    counts = Counter(count for seed in range(300) for count in branch_counts(36, 1, 8, random.Random(seed)))
    assert set(counts) == set(range(1, 9))
    assert min(counts.values()) > 0.6 * max(counts.values())
