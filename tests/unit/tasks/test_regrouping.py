import pytest

from pmind.tasks.intake import Intake
from pmind.tasks.records import Question, QuestionGroup
from pmind.tasks.regrouping import batch_groups, regroup
from pmind.tasks.similarity import tfidf

TOPICS = ("heart", "skin")


def group(number, context="", topic="", document=""):
    asked = tuple(
        Question(f"{number}-{n}", f"question {number} {n} about {topic}?", ("x",), category=topic) for n in range(3)
    )
    return QuestionGroup(f"g{number}", document or f"d{number}", context, asked)


READING = [group(number, f"passage {number}", TOPICS[number % 2]) for number in range(8)]
EXAM = [group(number, "", TOPICS[number % 2]) for number in range(8)]


def put(groups, rule, intake=None, most=4, seed=1, threshold=0.5):
    return regroup(groups, rule, intake or Intake(), most=most, seed=seed, threshold=threshold, embed=tfidf)


def ids(groups):
    return [question.id for group in groups for question in group.questions]


def test_by_context_nothing_changes():
    assert put(READING, "context") == READING


@pytest.mark.parametrize("rule", ["random", "subdomain", "similar"])
@pytest.mark.parametrize("groups", [READING, EXAM], ids=["reading", "exam"])
def test_every_question_is_asked_once_with_all_that_is_its_own(rule, groups):
    made = put(groups, rule)
    before = {question.id: (group, question) for group in groups for question in group.questions}
    assert sorted(ids(made)) == sorted(before)
    for group in made:
        assert group.id == group.questions[0].id
        assert group.context == ""
        assert 1 <= len(group.questions) <= 4
        for question in group.questions:
            home, own = before[question.id]
            assert question.context == home.context
            assert group.document_of(question) == home.document
            assert (question.text, question.answers, question.category) == (own.text, own.answers, own.category)


def test_random_groups_mix_and_the_seed_decides():
    assert ids(put(READING, "random")) != ids(READING)
    assert put(READING, "random") == put(READING, "random")
    assert put(READING, "random") != put(READING, "random", seed=2)
    assert any(len({question.document for question in group.questions}) > 1 for group in put(READING, "random"))
    assert [len(group.questions) for group in put(READING, "random", most=5)] == [5, 5, 5, 5, 4]


def test_subdomains_stay_apart_and_in_order():
    made = put(EXAM, "subdomain")
    assert all(len({question.category for question in group.questions}) == 1 for group in made)
    assert ids(made) == [q.id for topic in TOPICS for group in EXAM for q in group.questions if q.category == topic]


def test_similar_questions_come_together():
    texts = ["Which river floods the town?", "Which river floods the city?", "Who bakes bread?", "Who bakes the bread?"]
    groups = [group(number) for number in range(4)]
    groups = [
        QuestionGroup(each.id, each.document, "", (Question(each.id, text, ("x",)),))
        for each, text in zip(groups, texts, strict=True)
    ]
    made = {frozenset(ids([group])) for group in put(groups, "similar", threshold=0.4)}
    assert made == {frozenset({"g0", "g1"}), frozenset({"g2", "g3"})}
    assert all(len(group.questions) == 1 for group in put(groups, "similar", threshold=1))


def test_questions_with_and_without_context_do_not_share_a_group():
    made = put([*READING, *(group(number) for number in range(8, 16))], "random")
    assert len(ids(made)) == 48
    assert all(len({bool(question.context) for question in group.questions}) == 1 for group in made)


def test_a_question_asked_twice_is_kept_once_and_counted():
    """Two articles may ask the same exam question; a group must not."""
    intake = Intake()
    same = [Question(name, "Which?", ("x",), document=name) for name in "ab"]
    assert [group.questions for group in batch_groups(same, intake)] == [(same[0],)]
    assert intake.dropped["duplicate_questions"] == 1
