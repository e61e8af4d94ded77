"""What a local model is asked and answers is told while it happens, in every round."""

from dataclasses import replace

import pytest

from pmind.decoding.options import GenerationOptions
from pmind.errors import DecodingError
from pmind.methods.catalog import find_method
from pmind.methods.group import GroupPrompts
from pmind.methods.local import LocalEngine
from pmind.methods.rounds import Ask, Prompt, run_rounds
from pmind.methods.transcript import Transcript
from pmind.tasks.prompts import Exchange, PromptTemplate
from pmind.tasks.records import Question, QuestionGroup
from tests.tiny import decoder_of

QUESTIONS = tuple(Question(str(number), f"w{number} w{number + 1}", ()) for number in range(3, 6))
GROUP = GroupPrompts(QuestionGroup("g", "d", "w1 w2", QUESTIONS), PromptTemplate(), 4)


def follow(method: str, options: GenerationOptions | None = None, branches: int = 8):
    """Replies, transcript, and what was shown: question, round, tokens so far, finish reason."""
    shown = []
    decoder, way = decoder_of(), find_method(method)
    transcript = Transcript(
        decoder,
        GROUP,
        lambda entry: shown.append((entry.question, entry.round, len(entry.token_ids), entry.finish_reason)),
    )
    engine = LocalEngine(decoder, way.passes, branches=branches, options=options, listener=transcript)
    return run_rounds(engine, [way.rounds(GROUP)])[0], transcript, shown


@pytest.mark.parametrize("method", ["parallel", "sequential", "sequential_cached", "batch", "multi_turn"])
def test_it_holds_what_the_replies_say(method):
    replies, transcript, _ = follow(method, branches=2)
    assert [entry.question for entry in transcript.entries] == [0, 1, 2]
    for entry, reply in zip(transcript.entries, replies, strict=True):
        assert (entry.text, tuple(entry.token_ids), entry.round) == (reply.text, reply.token_ids, reply.round)
        assert entry.finish_reason == reply.finish_reason


def test_every_token_is_shown_side_by_side_in_one_round():
    shown = follow("parallel")[2]
    written = [(question, tokens) for question, _, tokens, _ in shown]
    assert written == [(question, tokens) for tokens in range(5) for question in range(3)]


def test_every_token_is_shown_in_later_rounds_too():
    shown = follow("multi_turn")[2]
    assert shown == [
        (index, index + 1, tokens, "length" if tokens == 4 else None) for index in range(3) for tokens in range(5)
    ]


def test_tokens_are_drawn_as_the_options_say():
    drawn = [follow("multi_turn", GenerationOptions(do_sample=True, seed=seed))[0] for seed in (1, 1, 2)]
    texts = [[reply.text for reply in replies] for replies in drawn]
    assert texts[0] == texts[1] != texts[2]


def test_history_that_was_left_out_is_told():
    transcript = Transcript(decoder_of(), GROUP, lambda entry: None)
    history = tuple(Exchange(number, f"w{number}", " w9") for number in (1, 2))
    asked = Ask("w1 w2", (Prompt("w5 w6", history),), 4)
    transcript.begin([asked], [replace(asked, prompts=(Prompt("w5 w6", history[1:]),))])
    (entry,) = transcript.entries
    assert (entry.question, entry.needs, entry.left_out) == (2, (2,), (1,))
    assert list(transcript.shortcomings()) == ["question 3: not told 1, for which the model has too few positions"]


def test_a_prompt_without_room_is_an_error():
    asked = Ask("w1", (Prompt("w2"),), 4)
    with pytest.raises(DecodingError, match="a prompt of round 1 does not fit the model's positions"):
        Transcript(decoder_of(), GROUP, lambda entry: None).begin([asked], [replace(asked, max_new_tokens=0)])
