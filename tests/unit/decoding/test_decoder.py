import pytest

from pmind.decoding.options import GenerationOptions
from pmind.errors import DecodingError, LayoutError
from tests.tiny import decoder_of

CONTEXT, PROMPTS = "w5 w9 w12 w7", ["w3 w4", "w8", "w20 w21 w22"]


@pytest.fixture(scope="module")
def decoder(compiled):
    return decoder_of(compiled=compiled)


@pytest.fixture(scope="module")
def answers(decoder):
    return decoder.generate(CONTEXT, PROMPTS, max_new_tokens=6)


def test_context_and_prompts_are_tokenised_separately(decoder):
    request = decoder.encode_group(CONTEXT, PROMPTS)
    assert request.context == (5, 9, 12, 7)
    assert request.prompts == ((3, 4), (8,), (20, 21, 22))


def test_the_tokenizers_opening_token_heads_the_context_and_no_prompt(stories_decoder):
    with_text = stories_decoder.encode_group("Once upon a time", ["Tim"])
    without = stories_decoder.encode_group("", ["Tim"])
    assert with_text.context[0] == without.context[0] == stories_decoder.tokenizer.bos_token_id
    assert len(without.context) == 1
    assert with_text.prompts == without.prompts
    assert stories_decoder.tokenizer.bos_token_id not in with_text.prompts[0]


def test_without_an_opening_token_an_empty_context_is_empty(decoder):
    assert decoder.encode_group("", ["w3"]).context == ()
    assert len(decoder.generate("", ["w3"], max_new_tokens=2)) == 1


@pytest.mark.parametrize("prompt", ["", "  \n"])
def test_an_empty_question_is_named(decoder, prompt):
    with pytest.raises(DecodingError, match="question 2 is empty"):
        decoder.generate(CONTEXT, ["w1", prompt])


def test_no_question(decoder):
    with pytest.raises(LayoutError, match="at least one question"):
        decoder.generate(CONTEXT, [])


def test_answers_end_by_length(answers):
    assert {answer.finish_reason for answer in answers} == {"length"}
    assert {len(answer.token_ids) for answer in answers} == {6}
    assert [answer.text for answer in answers] == [
        " ".join(f"w{token}" for token in answer.token_ids) for answer in answers
    ]


def test_stop_tokens_end_only_the_branch_that_says_one(answers):
    stop = answers[1].token_ids[2]
    stopped = decoder_of(stop_ids=(stop,)).generate(CONTEXT, PROMPTS, max_new_tokens=6)
    for before, after in zip(answers, stopped, strict=True):
        length = before.token_ids.index(stop) + 1 if stop in before.token_ids else 6
        assert after.token_ids == before.token_ids[:length]
        assert after.finish_reason == ("stop" if stop in before.token_ids else "length")
    ignored = decoder_of(stop_ids=(stop,)).generate(CONTEXT, PROMPTS, max_new_tokens=6, eos_token_id=())
    assert ignored == answers


def test_the_tokenizers_stop_token_is_used_where_the_model_names_none(decoder, answers):
    other = decoder_of()
    other.model.generation_config.eos_token_id = None
    other.tokenizer.eos_token = f"w{answers[0].token_ids[0]}"
    answer = other.generate(CONTEXT, PROMPTS[:1], max_new_tokens=6)[0]
    assert (answer.token_ids, answer.finish_reason) == (answers[0].token_ids[:1], "stop")


def test_stop_strings_end_an_answer_before_them(decoder, answers):
    stop = f"w{answers[0].token_ids[2]} w{answers[0].token_ids[3]}"  # two tokens long
    stopped = decoder.generate(CONTEXT, PROMPTS[:1], max_new_tokens=6, stop_strings=(stop,))[0]
    assert stopped.finish_reason == "stop"
    assert stopped.token_ids == answers[0].token_ids[:4]
    assert stopped.text == " ".join(f"w{token}" for token in answers[0].token_ids[:2]) + " "
    other = decoder.generate(CONTEXT, PROMPTS[:1], max_new_tokens=6, stop_strings=("w1000",))[0]
    assert other == answers[0]


def test_the_first_of_several_stop_strings_counts(decoder, answers):
    tokens = answers[0].token_ids
    first = next(place for place in range(1, 6) if tokens[place] not in tokens[:place])
    stops = (f" w{tokens[5]}", f" w{tokens[first]}")
    stopped = decoder.generate(CONTEXT, PROMPTS[:1], max_new_tokens=6, stop_strings=stops)[0]
    assert stopped.text == " ".join(f"w{token}" for token in tokens[:first])


def test_options_and_changes_go_together(decoder):
    options = GenerationOptions(max_new_tokens=9, repetition_penalty=1.4)
    changed = decoder.generate(CONTEXT, PROMPTS, options, max_new_tokens=2)
    whole = decoder.generate(CONTEXT, PROMPTS, options)
    assert [answer.token_ids for answer in changed] == [answer.token_ids[:2] for answer in whole]
    with pytest.raises(TypeError, match="max_tokens"):
        decoder.generate(CONTEXT, PROMPTS, max_tokens=3)


def test_streaming_gives_the_same_tokens_column_by_column(decoder, answers):
    request = decoder.encode_group(CONTEXT, PROMPTS)
    events = list(decoder.stream_groups([request], GenerationOptions(max_new_tokens=6)))
    assert [event.step for event in events] == list(range(6))
    streamed = zip(*([token.token_id for token in event.tokens] for event in events), strict=True)
    assert list(streamed) == [answer.token_ids for answer in answers]
    seen = []
    decoder.generate_groups([request], GenerationOptions(max_new_tokens=6), on_event=seen.append)
    assert seen == events


def test_scores_of_texts(decoder):
    scores = decoder.score(CONTEXT, PROMPTS[:2], [["w6", "w7 w8"], ["w1"]])
    assert [len(row) for row in scores] == [2, 1]
    assert all(value < 0 for row in scores for value in row)
    request = decoder.encode_group(CONTEXT, PROMPTS[:2])
    assert decoder.score_group(request, [[(6,), (7, 8)], [(1,)]]) == scores
