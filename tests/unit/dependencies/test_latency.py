"""What a group takes, by hand."""

import pytest

from pmind.dependencies.edges import Dependencies, Edge
from pmind.dependencies.latency import Latency, Plan, Rates, Work, plan_work, predict_latency
from pmind.errors import ParamsError

RATES = Rates(prefill_tokens_per_s=1000, column_s=0.01)
PROMPTS, ANSWERS = [10, 20, 30], [5, 50, 8]
FORK = Dependencies(3, (Edge(0, 2, 0.9),))


def test_a_round_lasts_as_long_as_its_longest_answer():
    assert plan_work(FORK, PROMPTS, ANSWERS, context_tokens=100) == Plan(
        in_rounds=Work(100 + 60 + (10 + 5 + 6), 50 + 8),  # question 3 reads question 1 and its answer
        at_once=Work(160, 50),
        one_by_one=Work(160, 63),
        critical_path=(1,),  # longer than questions 1 and 3 after each other
        path_columns=50,
    )


def test_the_critical_path_is_the_longest_chain_not_the_sum_of_the_rounds():
    plan = plan_work(FORK, PROMPTS, [5, 12, 8])
    assert (plan.critical_path, plan.path_columns, plan.in_rounds.columns) == ((0, 2), 13, 12 + 8)


def test_without_edges_rounds_are_asking_all_at_once():
    plan = plan_work(Dependencies(3), PROMPTS, ANSWERS, 7)
    assert plan.in_rounds == plan.at_once


def test_a_chain_has_the_columns_of_asking_one_by_one():
    plan = plan_work(Dependencies(3, (Edge(0, 1, 0.9), Edge(1, 2, 0.9))), PROMPTS, ANSWERS)
    assert plan.in_rounds.columns == plan.one_by_one.columns
    assert plan.in_rounds.read_tokens > plan.one_by_one.read_tokens


def test_seconds_follow_from_rates():
    assert predict_latency(FORK, PROMPTS, ANSWERS, RATES, 100) == Latency(
        pytest.approx(0.181 + 0.58), pytest.approx(0.16 + 0.5), pytest.approx(0.16 + 0.63)
    )


def test_an_empty_group_takes_its_context():
    plan = plan_work(Dependencies(0), [], [], 10)
    assert (plan.in_rounds, plan.critical_path) == (Work(10, 0), ())


def test_numbers_that_make_no_sense_are_refused():
    with pytest.raises(ParamsError, match="one count for each"):
        plan_work(FORK, [1, 2], ANSWERS)
    with pytest.raises(ParamsError, match="one count for each"):
        plan_work(FORK, PROMPTS, [1, 2, -3])
    with pytest.raises(ParamsError, match="above 0"):
        Rates(0, 0.01)
