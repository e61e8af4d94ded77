import json

import pytest

from pmind.errors import DataError
from pmind.reports.evaluation_runs import read_evaluation_runs


@pytest.fixture
def content(metrics_folder):
    return json.loads((metrics_folder / "evaluations" / "squad.json").read_text())


@pytest.fixture
def read(metrics_folder):
    """Writes CONTENT as a run and reads it back."""

    def read_back(content):
        path = metrics_folder / "evaluations" / "squad.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return next(run for run in read_evaluation_runs(metrics_folder) if run.file == "evaluations/squad.json")

    return read_back


def test_runs_are_read_by_name_with_rows_in_table_order(metrics_folder):
    mmlu, race, squad = read_evaluation_runs(metrics_folder)
    assert [run.dataset for run in (mmlu, race, squad)] == ["mmlu", "race", "squad"]
    assert list(squad.rows) == [("parallel", 4), ("parallel", 8), ("sequential", 1), ("batch", 4), ("batch", 8)]
    assert squad.interval(("parallel", 8), "em") == pytest.approx((0.5, 0.4, 0.6))
    assert squad.answers["parallel", 8] == ("parallel-8.parquet", "86.0".ljust(64, "a"))
    assert squad.command == "pmind evaluate squad --model … --keep metrics/evaluations/squad.json"
    assert (squad.name, squad.groups["dropped_long_contexts"]) == ("squad.json", 1329)


def test_scores_of_single_questions_and_of_all_together_are_told_apart(content, read):
    content["rows"][1] |= {"HasAns_em": 0.5, "f1a": 0.25, "corpus_bleu4": 0.1}
    run = read(content)
    assert run.measures() == ["em", "f1", "lenient"]
    assert run.aggregates() == ["HasAns_em", "f1a", "corpus_bleu4"]


def test_groups_and_answers_may_be_missing(content, read):
    del content["groups"], content["rows"][0]["answers"], content["rows"][1]["answers_sha256"]
    run = read(content)
    assert run.groups == {}
    assert ("sequential", 1) not in run.answers
    assert run.answers["parallel", 4] == ("parallel-4.parquet", "")


def test_conditions_that_say_nothing_are_absent_and_names_have_one_line(content, read):
    content["conditions"] |= {"visibility": None, "model": "two\nlines"}
    run = read(content)
    assert "visibility" not in run.conditions
    assert run.model == "two lines"


def test_without_a_folder_there_are_no_runs(tmp_path):
    assert read_evaluation_runs(tmp_path) == ()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"rows": [}', r"squad\.json:1: not valid JSON"),
        ("[]", "no rows and conditions of an evaluation"),
        ('{"rows": [], "conditions": {"dataset": "squad"}}', r"an evaluation \('model'\)"),
        ('{"rows": [{"method": "a"}], "conditions": {}}', r"\('branches'\)"),
        (
            '{"rows": [{"method": "a", "branches": "x"}], "conditions": {"model": "a", "dataset": "b"}}',
            "invalid literal",
        ),
        ('{"rows": [], "conditions": {"model": "a", "dataset": "b"}, "groups": 3}', "no rows and conditions"),
        (
            json.dumps({"rows": [{"method": "a", "branches": 1}] * 2, "conditions": {"model": "a", "dataset": "b"}}),
            "two rows of one method",
        ),
    ],
)
def test_a_broken_run_is_named_with_what_writes_it(read, content, message):
    with pytest.raises(DataError, match=message) as caught:
        read(content)
    assert "pmind evaluate DATASET --model … --keep" in str(caught.value)
    assert "\n" not in str(caught.value)
