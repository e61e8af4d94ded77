"""Questions are answered in the order of their dependencies, with the answers they need at hand."""

from collections.abc import Sequence

import pytest

from pmind.dependencies.selection import SelectionRules
from pmind.errors import DecodingError, ParamsError
from pmind.methods.catalog import COLLABORATIVE, METHODS, REMOTE, find_method, together
from pmind.methods.collaborative import Collaboration, by_model, collaborate
from pmind.methods.group import GroupPrompts
from pmind.methods.rounds import Ask, Reply, run_rounds
from pmind.tasks.prompts import Exchange, PromptTemplate
from pmind.tasks.records import Question, QuestionGroup

QUESTIONS = ("Who is the painter?", "Which lake floods?", "Where was the person from question 1 born?")
TEMPLATE = PromptTemplate(answer=" {answer}")
ANSWERS = {"painter": "Livia", "lake": "Corvow", "born": "Relsa"}


def group_of(*questions: str) -> GroupPrompts:
    asked = tuple(Question(str(number), text, ("a",)) for number, text in enumerate(questions))
    return GroupPrompts(QuestionGroup("g", "d", "A town.", asked), TEMPLATE, 8)


class Reader:
    """Answers by a word of the question; proposes what it is told to."""

    def __init__(self, proposal: str = "[]") -> None:
        self.rounds: list[list[Ask]] = []
        self._proposal = proposal

    def answer(self, asks: Sequence[Ask]) -> list[list[Reply]]:
        self.rounds.append(list(asks))
        return [[Reply(self._said(prompt.text), "stop", 10, 2) for prompt in ask.prompts] for ask in asks]

    def _said(self, text: str) -> str:
        if "JSON" in text:
            return self._proposal
        return next((answer for word, answer in ANSWERS.items() if word in text), "?")


def answer(name: str, engine: Reader, *questions: str) -> list[Reply]:
    return run_rounds(engine, [find_method(name).rounds(group_of(*questions))])[0]


def test_a_question_is_asked_when_what_it_needs_is_answered():
    engine = Reader()
    replies = answer("collab_heuristic", engine, *QUESTIONS)
    assert [[prompt.text for prompt in ask.prompts] for asks in engine.rounds for ask in asks] == [
        list(QUESTIONS[:2]),
        [QUESTIONS[2]],
    ]
    assert engine.rounds[1][0].prompts[0].history == (Exchange(1, QUESTIONS[0], " Livia"),)
    assert [(reply.text, reply.round) for reply in replies] == [("Livia", 1), ("Corvow", 1), ("Relsa", 2)]


def test_a_source_may_come_after_the_question_that_needs_it():
    engine = Reader()
    replies = answer("collab_heuristic", engine, "Where was the person from question 2 born?", QUESTIONS[0])
    assert [reply.text for reply in replies] == ["Relsa", "Livia"]
    assert [reply.round for reply in replies] == [2, 1]


def test_independent_questions_take_one_round_and_no_history():
    engine = Reader()
    answer("collab_heuristic", engine, *QUESTIONS[:2])
    ((ask,),) = engine.rounds
    assert [prompt.history for prompt in ask.prompts] == [(), ()]


def test_a_model_is_asked_first_and_its_proposal_is_paid_for():
    engine = Reader('[{"question": 3, "needs": [1], "confidence": 0.95}]')
    replies = answer("collab_llm", engine, *QUESTIONS)
    assert len(engine.rounds) == 3
    assert [reply.round for reply in replies] == [2, 2, 3]
    assert sum(reply.prompt_tokens for reply in replies) == 4 * 10


def test_a_model_that_is_not_understood_proposes_nothing():
    engine = Reader("What a lovely day.")
    assert [reply.round for reply in answer("collab_llm", engine, *QUESTIONS)] == [2, 2, 2]


def test_one_question_needs_no_proposal():
    engine = Reader()
    answer("collab_llm", engine, QUESTIONS[0])
    assert len(engine.rounds) == 1


def test_rules_decide_what_an_edge_must_be_worth():
    engine = Reader('[{"question": 3, "needs": [1], "confidence": 0.95}]')
    rounds = collaborate(by_model, SelectionRules(min_confidence=0.99))
    run_rounds(engine, [rounds(group_of(*QUESTIONS))])
    assert len(engine.rounds) == 2


def test_methods_by_name():
    assert together("collab_bert") and together("parallel") and not together("sequential")
    assert set(REMOTE) == {"sequential", "batch", "multi_turn", "all_in_one", *COLLABORATIVE}
    with pytest.raises(DecodingError, match="unknown method 'paralel'; use parallel, sequential, "):
        find_method("paralel")
    with pytest.raises(ParamsError, match="collab_bert reads the questions with an encoder"):
        find_method("collab_bert", Collaboration())
    assert {name for name in METHODS if name != "collab_bert" and find_method(name).needs_answers} == {
        "multi_turn", "collab_llm", "collab_heuristic"
    }  # fmt: skip


def test_a_server_is_asked_one_question_after_the_other_by_sequential():
    engine = Reader()
    run_rounds(engine, [find_method("sequential").remote(group_of(*QUESTIONS))])
    assert [[len(ask.prompts) for ask in asks] for asks in engine.rounds] == [[1], [1], [1]]
    assert not any(prompt.history for asks in engine.rounds for ask in asks for prompt in ask.prompts)
