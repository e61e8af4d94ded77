"""Scores that need more than a row's text: programs that are run, and a model that judges."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pmind.corpora.hub import hub_splits
from pmind.corpora.sources import source_kind
from pmind.evaluation.execution import Execution, humaneval_program, run_program, truncate_completion
from pmind.evaluation.judge import DIMENSIONS, Judge, Judged
from pmind.evaluation.metrics.pass_at_k import pass_at_k
from pmind.evaluation.rows import AnswerRow
from pmind.evaluation.scores import Scores
from pmind.tasks.humaneval import Tests, humaneval_row_tests, humaneval_tests

AT_A_TIME = 2  # programs
logger = logging.getLogger(__name__)


def run_programs(source: str) -> Callable[[Sequence[AnswerRow]], Scores]:
    """Make a function that completes each task with its answer, runs the task's tests, and gives ``pass_at_1``.

    Only for callers whose user allowed to run what a model wrote.

    Args:
        source: file or Hub id that the questions are from; it holds the tests, too.
    """
    if source_kind(source) == "hub":
        tests = humaneval_row_tests(hub_splits(source)["test"], source)
    else:
        tests = humaneval_tests(Path(source))

    def score(rows: Sequence[AnswerRow]) -> Scores:
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            ended = list(pool.map(lambda row: _run(row, tests), rows))
        reasons = Counter(execution.reason for execution in ended)
        logger.warning("programs run: %s; held by: %s", dict(reasons), ", ".join(ended[0].guards))
        passed = zip(rows, ended, strict=True)
        return {"pass_at_1": {row.question_id: pass_at_k(1, int(end.passed), 1) for row, end in passed}}

    return score


def ask_judge(base_url: str, model: str, cache: Path) -> Callable[[Sequence[AnswerRow]], Scores]:
    """Make a function that has free-text answers graded from 1 to 5; what could not be judged has no score.

    Args:
        base_url: of an OpenAI-compatible API.
        model: its name there.
        cache: file of earlier replies.
    """
    judge = Judge(base_url, model, cache)

    def score(rows: Sequence[AnswerRow]) -> Scores:
        free = [row for row in rows if row.scoring == "text" and row.references]
        judgements = judge.judge([Judged(row.question, row.references[0], row.text) for row in free])
        for reason, count in judge.missing.items():
            logger.warning("%d answers could not be judged: %s", count, reason)
        judged = [(row, judgement) for row, judgement in zip(free, judgements, strict=True) if judgement is not None]
        scores = {
            f"judge_{name}": {row.question_id: float(getattr(judgement, name)) for row, judgement in judged}
            for name in DIMENSIONS
        }
        return {measure: values for measure, values in scores.items() if values}

    return score


def _run(row: AnswerRow, tests: Tests) -> Execution:
    test, entry_point = tests[row.question_id]
    program = humaneval_program(row.question, truncate_completion(row.text), test, entry_point)
    return run_program(program, allow=True)
