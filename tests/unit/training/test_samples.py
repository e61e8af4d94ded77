import random
from collections import Counter

from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup
from pmind.training.passages import cut_passages
from pmind.training.samples import finetuning_sample, pretraining_sample, replays

PASSAGES = [("a1 ", "a2 ", "a3 "), ("b1 ", "b2 "), ("c1 ",)]
GROUP = QuestionGroup("g", "d", "facts", tuple(Question(str(i), f"q{i}", (f"a{i}",)) for i in range(5)))
TEMPLATE = PromptTemplate(context="{context}", prompt="Q: {question}", answer=" {answer}")


def encode(texts):
    """Words as tokens, so that a sample can be read."""
    return [text.split() for text in texts]


def draw(seed, **changes):
    options = {
        "min_branches": 2,
        "max_branches": 4,
        "max_tokens": 9,
        "shared_context_share": 1.0,
        "max_column_offset": 0,
    }
    return pretraining_sample(PASSAGES, encode, random.Random(seed), **options | changes)


def test_branches_replay_the_shared_context():
    for seed in range(20):
        sample = draw(seed)
        assert all(sorted(answer) == sorted(sample.context) for answer in sample.answers)
        assert all(prompt == () for prompt in sample.prompts)
        assert all(sample.complete)


def test_replays_come_in_many_orders():
    orders = Counter(replays(PASSAGES[0], 200, random.Random(1)))
    assert len(orders) == 6


def test_without_shared_context_branches_are_passages():
    texts = [text for seed in range(20) for text in draw(seed, shared_context_share=0.0).answers]
    assert draw(1, shared_context_share=0.0).context == []
    assert {" ".join(text) for text in texts} == {"a1 a2 a3", "b1 b2", "c1"}


def test_branch_counts_are_drawn_between_the_bounds():
    counts = Counter(len(draw(seed).answers) for seed in range(300))
    assert set(counts) == {2, 3, 4}
    assert min(counts.values()) > 60


def test_long_texts_are_cut_and_marked():
    sample = draw(0, max_tokens=1)
    assert {len(answer) for answer in sample.answers} == {1}
    long = [draw(seed, max_tokens=1) for seed in range(20)]
    assert {sample.complete[0] for sample in long} == {True, False}  # the one-word passage is complete


def test_column_offsets_stay_within_their_bound():
    assert draw(0).column_offsets is None
    offsets = [offset for seed in range(50) for offset in draw(seed, max_column_offset=3).column_offsets]
    assert set(offsets) == {0, 1, 2, 3}


def test_the_same_random_stream_gives_the_same_sample():
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)


def test_finetuning_draws_some_questions_of_a_group():
    samples = [finetuning_sample([GROUP], TEMPLATE, encode, random.Random(seed), max_branches=3) for seed in range(60)]
    assert {len(sample.prompts) for sample in samples} == {1, 2, 3}
    assert {sample.answers[0][0] for sample in samples} == {"a0", "a1", "a2", "a3", "a4"}
    for sample in samples:
        asked = [prompt[1] for prompt in sample.prompts]
        assert len(set(asked)) == len(asked)
        assert [answer[0][1:] for answer in sample.answers] == [question[1:] for question in asked]
        assert sample.context == ["facts"]


def test_passages_are_cut_between_sentences():
    document = ("one two ", "three ", "four five six ", "seven eight nine ten eleven ", "twelve ")
    assert cut_passages([document], encode, 4) == [
        ("one two ", "three "),
        ("four five six ",),
        ("seven eight nine ten eleven ",),
        ("twelve ",),
    ]
    assert cut_passages(PASSAGES, encode, 3) == PASSAGES
