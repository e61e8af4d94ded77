import pytest
import torch
from transformers import GenerationConfig

from pmind.decoding.options import GenerationOptions
from pmind.errors import DecodingError
from pmind.harness.generation import generation_options, stop_test

PLAIN = GenerationConfig(eos_token_id=2)
GREEDY = {"do_sample": False, "temperature": 0.0}


def options_of(asked, checkpoint=PLAIN):
    return generation_options(asked, checkpoint, max_new_tokens=9, seed=3)


def test_greedy():
    assert options_of(GREEDY) == GenerationOptions(max_new_tokens=9, seed=3)
    assert options_of({**GREEDY, "top_p": 0.5, "num_beams": 1}) == options_of(GREEDY)


def test_sampling_takes_what_the_task_leaves_open_from_the_checkpoint_then_from_transformers():
    asked = {"do_sample": True, "temperature": 0.7}
    plain = options_of(asked)
    assert (plain.do_sample, plain.temperature, plain.top_k, plain.top_p) == (True, 0.7, 50, 1.0)
    checkpoint = GenerationConfig(top_k=20, top_p=0.8, repetition_penalty=1.05)
    own = options_of(asked, checkpoint)
    assert (own.top_k, own.top_p, own.repetition_penalty) == (20, 0.8, 1.05)
    told = options_of({**asked, "top_k": 0, "top_p": 0.9, "repetition_penalty": 1.0}, checkpoint)
    assert (told.top_k, told.top_p, told.repetition_penalty) == (0, 0.9, 1.0)


def test_the_checkpoints_repetition_penalty_holds_for_greedy_answers_too():
    assert options_of(GREEDY, GenerationConfig(repetition_penalty=1.1)).repetition_penalty == 1.1


@pytest.mark.parametrize("asked", [{"num_beams": 4}, {"max_length": 100}, {"no_repeat_ngram_size": 3}])
def test_what_the_decoder_cannot_do_is_named(asked):
    (name,) = asked
    with pytest.raises(DecodingError, match=f"{name}=.* is not supported.*'hf'"):
        options_of({**GREEDY, **asked})


def test_sampling_without_a_temperature():
    with pytest.raises(DecodingError, match="temperature must be above 0"):
        options_of({"do_sample": True})


@pytest.mark.parametrize("ends", [2, [5, 2], None])
def test_stop_tokens(word_tokenizer, ends):
    stops = stop_test(word_tokenizer, [], GenerationConfig(eos_token_id=ends))
    assert stops([7, 2]) == (ends is not None)
    assert not stops([2, 7])


def test_answers_end_where_the_harness_ends_them(lm_eval, stories_path):
    """Stop strings within, across and at the edge of tokens, and special tokens, in random answers."""
    from lm_eval.models.utils_hf import stop_sequences_criteria
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(stories_path)
    stop = [". ", "\n", "he", "</s>", "Lily was"]
    stops = stop_test(tokenizer, stop, GenerationConfig())
    stream = torch.Generator().manual_seed(0)
    ended = 0
    for _ in range(80):
        answer = torch.randint(0, 512, (6,), generator=stream).tolist() + tokenizer.encode(" Lily was")[-4:]
        for length in range(1, len(answer) + 1):
            theirs = stop_sequences_criteria(tokenizer, stop, 0, 1)(torch.tensor([answer[:length]]), None)
            assert stops(answer[:length]) == bool(theirs)
            ended += bool(theirs)
    assert 40 < ended < 600
