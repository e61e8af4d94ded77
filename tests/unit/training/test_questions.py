import random
from collections import Counter

from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup
from pmind.training.batches import Sample
from pmind.training.questions import QuestionSteps, group_samples, most_columns

TEMPLATE = PromptTemplate(context="{context}", prompt="Q: {question}", answer=" {answer}")
GROUPS = [
    QuestionGroup(f"g{g}", f"d{g}", f"facts{g}", tuple(Question(str(i), f"q{i}", (f"a{i} b",)) for i in range(count)))
    for g, count in enumerate((5, 1, 3))
]


def encode(texts):
    """Words as tokens, so that a sample can be read."""
    return [text.split() for text in texts]


SAMPLES = group_samples(GROUPS, TEMPLATE, encode)


def steps_of(batch_size=2, max_branches=3, seed=1):
    return QuestionSteps(SAMPLES, batch_size, max_branches, seed)


def drawn(count, **changes):
    """Samples of so many steps, in order."""
    steps = steps_of(**changes)
    return [sample for step in range(count) for sample in steps(random.Random(step), step)]


def test_a_group_is_read_with_all_its_questions():
    assert SAMPLES[2] == Sample(
        ["facts2"], [["Q:", f"q{i}"] for i in range(3)], [[f"a{i}", "b"] for i in range(3)], [True] * 3
    )


def test_a_sample_has_some_questions_in_any_order_with_their_answers():
    samples = [sample for sample in drawn(90) if sample.context == ["facts0"]]
    assert Counter(len(sample.prompts) for sample in samples).keys() == {1, 2, 3}
    assert {sample.answers[0][0] for sample in samples} == {"a0", "a1", "a2", "a3", "a4"}
    for sample in samples:
        asked = [prompt[1] for prompt in sample.prompts]
        assert len(set(asked)) == len(asked)
        assert [answer[0][1:] for answer in sample.answers] == [question[1:] for question in asked]
    orders = [tuple(prompt[1] for prompt in sample.prompts) for sample in samples]
    assert any(order != tuple(sorted(order)) for order in orders)


def test_answers_that_are_cut_stay_with_their_question():
    cut = [Sample([], [["p"], ["q"]], [["a"], ["b"]], [True, False])]
    for seed in range(10):
        for sample in QuestionSteps(cut, 1, 2, 1)(random.Random(seed), 0):
            assert sample.complete == [answer == ["a"] for answer in sample.answers]


def test_every_epoch_has_every_group_once_in_an_order_of_its_own():
    contexts = [sample.context[0] for sample in drawn(30, batch_size=2)]  # steps reach across epochs
    epochs = [tuple(contexts[first : first + 3]) for first in range(0, 60, 3)]
    assert all(sorted(epoch) == ["facts0", "facts1", "facts2"] for epoch in epochs)
    assert len(set(epochs)) > 3


def test_a_step_depends_on_seed_and_step_alone():
    again = steps_of()
    assert again(random.Random(7), 7) == steps_of()(random.Random(7), 7)
    assert [s.context for s in drawn(20)] != [s.context for s in drawn(20, seed=2)]


def test_the_widest_group_counts():
    assert most_columns(SAMPLES) == 1 + 2 + 2
    assert most_columns([*SAMPLES, Sample([0] * 4, [[1], [1, 1, 1]], [[1, 1], [1]], [True] * 2)]) == 4 + 3 + 2
