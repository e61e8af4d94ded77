import pytest

from pmind.decoding.decoder import ParallelDecoder
from pmind.training.batches import NO_LABEL, Collator, Sample
from pmind.training.own_answers import answer_samples
from tests.groups import SHAPES
from tests.reference import assert_same_tokens, stock_greedy
from tests.tiny import build_word_tokenizer, decoder_of, stock_model

GROUPS = [SHAPES[name] for name in ("ordinary", "one_branch", "one_token_prompts")]
SAMPLES = [Sample(group.context, group.prompts, group.answers, [True] * len(group.prompts)) for group in GROUPS]
LENGTH = 6
STOPS = tuple(range(0, 61, 3))  # a third of the vocabulary, so that answers stop early, late and at once


@pytest.fixture(scope="module")
def own():
    return answer_samples(decoder_of(stop_ids=STOPS), SAMPLES, max_new_tokens=LENGTH, max_groups=4)


def answers(samples):
    return [answer for sample in samples for answer in zip(sample.answers, sample.complete, strict=True)]


def test_answers_are_what_the_stock_model_says_to_one_question(own):
    questions = [[*group.context, *prompt] for group in GROUPS for prompt in group.prompts]
    expected = stock_greedy(stock_model(), questions, LENGTH, STOPS)
    for (ids, complete), (tokens, scores) in zip(answers(own.samples), expected, strict=True):
        assert complete == (tokens[-1] in STOPS)
        assert_same_tokens(ids, tokens[:-1] if complete else tokens, scores)


def test_all_else_stays(own):
    for before, after in zip(SAMPLES, own.samples, strict=True):
        assert (after.context, after.prompts) == (before.context, before.prompts)


def test_empty_and_cut_answers_are_counted(own):
    told = answers(own.samples)
    assert own.empty == sum(not ids for ids, _ in told) > 0
    assert own.cut == sum(not complete for _, complete in told) > 0
    assert own.metrics("squad.finetune") == {
        "squad.finetune.own_answers.empty": own.empty,
        "squad.finetune.own_answers.cut": own.cut,
    }


def test_a_cut_answer_learns_no_stop_and_an_empty_one_only_that(own):
    stop = 0
    for sample in own.samples:
        batch = Collator("right", stop, pad_id=0)([sample])
        for number, (answer, complete) in enumerate(zip(sample.answers, sample.complete, strict=True), start=1):
            labels = batch.labels[0, batch.coords[0, :, 0] == number]
            learnt = labels[labels != NO_LABEL].tolist()
            assert learnt == [*answer, stop] if complete else learnt == [*answer]


def test_answers_do_not_depend_on_how_many_are_asked_at_a_time(own):
    one_at_a_time = answer_samples(decoder_of(stop_ids=STOPS), SAMPLES, max_new_tokens=LENGTH, max_groups=1)
    assert answers(one_at_a_time.samples) == answers(own.samples)


def test_the_opening_token_heads_the_context_as_in_decoding():
    class Opening:
        """The word tokenizer with a special token before every text."""

        def __init__(self):
            self._words = build_word_tokenizer()

        def __call__(self, text, add_special_tokens=True):
            ids = self._words(text)["input_ids"]
            return {"input_ids": [1, *ids] if add_special_tokens else ids}

        def __getattr__(self, name):
            return getattr(self._words, name)

    plain = decoder_of(stop_ids=STOPS)
    opened = answer_samples(
        ParallelDecoder(plain.model, Opening(), plain.settings), SAMPLES[:1], max_new_tokens=LENGTH, max_groups=1
    )
    spelt_out = [Sample([1, *SAMPLES[0].context], SAMPLES[0].prompts, SAMPLES[0].answers, SAMPLES[0].complete)]
    expected = answer_samples(plain, spelt_out, max_new_tokens=LENGTH, max_groups=1)
    assert answers(opened.samples) == answers(expected.samples)
    assert opened.samples[0].context == SAMPLES[0].context
