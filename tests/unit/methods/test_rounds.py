"""Methods ask in rounds: what is at hand when, and what comes back in which order."""

from collections.abc import Sequence

import pytest

from pmind.methods.catalog import PLAIN
from pmind.methods.group import GroupPrompts
from pmind.methods.local import LocalEngine
from pmind.methods.rounds import Ask, Prompt, Reply, run_rounds
from pmind.tasks.prompts import Exchange, PromptTemplate
from pmind.tasks.records import Question, QuestionGroup
from tests.tiny import decoder_of

TEMPLATE = PromptTemplate(context="Read: {context}\n", prompt="{question}", answer=" <{answer}>")


def group_of(count: int, name: str = "g", own: bool = False) -> GroupPrompts:
    questions = tuple(
        Question(f"{name}{index}", f"What is {name}{index}?", ("a",), context=f"About {name}{index}." if own else "")
        for index in range(1, count + 1)
    )
    return GroupPrompts(QuestionGroup(name, "d", "" if own else f"About {name}.", questions), TEMPLATE, 4, ("\n",))


class Echo:
    """Answers a prompt with the last word of its question, and remembers what it was asked."""

    def __init__(self) -> None:
        self.rounds: list[list[Ask]] = []

    def answer(self, asks: Sequence[Ask]) -> list[list[Reply]]:
        self.rounds.append(list(asks))
        return [[self._reply(prompt) for prompt in ask.prompts] for ask in asks]

    def _reply(self, prompt: Prompt) -> Reply:
        word = prompt.text.split()[-1].strip("?")
        return Reply(f" {word}", "stop", len(prompt.flat), 2, first_token_s=1.0, total_s=2.0)


def run(name: str, *groups: GroupPrompts) -> tuple[Echo, list[list[Reply]]]:
    engine = Echo()
    return engine, run_rounds(engine, [PLAIN[name].rounds(group) for group in groups])


def test_at_once_asks_all_questions_in_one_round():
    engine, replies = run("parallel", group_of(3), group_of(1, "h"))
    assert [[len(ask.prompts) for ask in asks] for asks in engine.rounds] == [[3, 1]]
    assert [[reply.text for reply in group] for group in replies] == [[" g1", " g2", " g3"], [" h1"]]


def test_turns_see_all_that_was_said_before():
    engine, replies = run("multi_turn", group_of(3), group_of(1, "h"))
    assert [len(asks) for asks in engine.rounds] == [2, 1, 1]
    last = engine.rounds[-1][0].prompts[0]
    assert last.history == (Exchange(1, "What is g1?", " <g1>"), Exchange(2, "What is g2?", " <g2>"))
    assert last.flat == "1. What is g1? <g1>\n2. What is g2? <g2>\nWhat is g3?"
    assert [reply.round for reply in replies[0]] == [1, 2, 3]


def test_a_later_rounds_times_come_after_the_earlier_ones():
    _, replies = run("multi_turn", group_of(3))
    assert [(reply.first_token_s, reply.total_s) for reply in replies[0]] == [(1, 2), (3, 4), (5, 6)]


def test_history_leaves_out_what_only_one_question_read():
    engine, _ = run("multi_turn", group_of(2, own=True))
    prompt = engine.rounds[1][0].prompts[0]
    assert prompt.text == "Read: About g2.\nWhat is g2?"
    assert prompt.history == (Exchange(1, "What is g1?", " <g1>"),)


class Says:
    """Answers everything with one text."""

    def __init__(self, text: str) -> None:
        self.text, self.asks = text, []

    def answer(self, asks: Sequence[Ask]) -> list[list[Reply]]:
        self.asks += asks
        return [[Reply(self.text, "length", 40, 12) for _ in ask.prompts] for ask in asks]


@pytest.mark.parametrize(
    ("said", "texts"),
    [
        (" one\n2. two\n3. three\n4. no such question", ["one", "two", "three"]),
        ("1. one\n2. two\n3. three", ["one", "two", "three"]),
        ("1) <answer>one</answer>\nQ3: <answer>three", ["one", "", "three"]),
        ("**1.** one\n问题2：two\n2. again", ["one", "two", ""]),
        ("", ["", "", ""]),
    ],
)
def test_all_in_one_reads_the_answers_back(said, texts):
    engine = Says(said)
    ((*replies,),) = run_rounds(engine, [PLAIN["all_in_one"].rounds(group_of(3))])
    assert [reply.text for reply in replies] == texts
    assert sum(reply.prompt_tokens for reply in replies) == 40
    assert sum(reply.new_tokens for reply in replies) == 12
    (prompt,) = engine.asks[0].prompts
    assert all(f"{number}. What is g{number}?" in prompt.text for number in (1, 2, 3))


def test_all_in_one_says_which_answer_is_missing():
    (replies,) = run_rounds(Says("1. one"), [PLAIN["all_in_one"].rounds(group_of(2))])
    assert [reply.finish_reason for reply in replies] == ["length", "missing"]


def test_all_in_one_brings_every_questions_own_passage():
    engine = Says("")
    run_rounds(engine, [PLAIN["all_in_one"].rounds(group_of(2, own=True))])
    assert engine.asks[0].prompts[0].text.startswith("Read: About g1.\nRead: About g2.\n")


@pytest.mark.parametrize("keep", [True, False])
def test_turns_of_a_local_model_are_its_answers_to_the_whole_text(keep):
    decoder = decoder_of()
    way = PLAIN["multi_turn"]
    words = [Question(str(number), f"w{number} w{number + 1}", ("w1",)) for number in range(3, 6)]
    group = GroupPrompts(QuestionGroup("g", "d", "w1 w2 w3", tuple(words)), PromptTemplate(answer=" {answer}"), 4)
    engine = LocalEngine(decoder, way.passes, keep_contexts=keep)
    (replies,) = run_rounds(engine, [way.rounds(group)])
    text = ""
    for number, (question, reply) in enumerate(zip(words, replies, strict=True), start=1):
        expected = decoder.generate("w1 w2 w3\n", [text + question.text], max_new_tokens=4)[0]
        assert reply.text == expected.text
        text += f"{number}. {question.text} {reply.text.strip()}\n"
