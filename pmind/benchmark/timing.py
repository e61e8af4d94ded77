"""Times of methods on one workload, interleaved so that a machine's drift hits all of them alike.

A round runs every row (method and number of branches) once; the first round warms up and is
thrown away::

    warm-up   parallel 1   sequential 1   batch 1   parallel 8   ...
    repeat 1  parallel 1   sequential 1   batch 1   parallel 8   ...
    repeat 2  ...
"""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pmind.benchmark.runners.protocol import AnswerTokens, Run, Runner
from pmind.benchmark.workload import Workload
from pmind.errors import PmindError

RowKey = tuple[str, int]  # method, number of branches
OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "bad_alloc")


@dataclass
class TimedRow:
    """Every timed run of one method and number of branches.

    Attributes:
        totals: seconds from the request to the last question's answer, a run each.
        runs: what the method tells of each of those runs, but for the answers.
        answers: tokens of the last run.
        warm_up_s: the first run's total, which nothing else counts.
        error: why the row ended, if it did.
    """

    totals: list[float] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    answers: AnswerTokens = ()
    warm_up_s: float = 0.0
    error: str | None = None


def time_rows(
    runners: Mapping[str, Runner],
    workload: Workload,
    vocab_size: int,
    keys: Sequence[RowKey],
    *,
    repeats: int,
    on_run: Callable[[], object] = lambda: None,
    on_round: Callable[[Mapping[RowKey, TimedRow]], object] = lambda rows: None,
) -> tuple[dict[RowKey, TimedRow], bool]:
    """Time every row REPEATS times after one warm-up.

    A row that fails is not run again; the others go on.

    Args:
        runners: a runner for every method of KEYS.
        workload: lengths of context, prompts and answers.
        vocab_size: of the model.
        keys: method and number of branches of each row.
        repeats: timed rounds.
        on_run: called after every single run, warm-ups included.
        on_round: called with all rows after every timed round.

    Returns:
        Every row, and whether an interrupt ended the run early.
    """
    rows = {key: TimedRow() for key in keys}
    try:
        for number in range(1 + repeats):
            for (method, branches), row in rows.items():
                if row.error is None:
                    time_once(runners[method], workload, vocab_size, branches, row, warm_up=number == 0)
                on_run()
            if number:
                on_round(rows)
    except KeyboardInterrupt:
        return rows, True
    return rows, False


def time_once(
    runner: Runner, workload: Workload, vocab_size: int, branches: int, row: TimedRow, *, warm_up: bool
) -> None:
    """Answer the workload's group once and note what it cost in ROW."""
    request = workload.request(branches, vocab_size)
    try:
        runner.reset()
        gc.collect()
        began = time.perf_counter()
        run = runner.run(request, workload.answer_tokens)
        total = time.perf_counter() - began  # the tokens are Python integers by now, so the device is done
    except (PmindError, MemoryError, RuntimeError) as error:
        row.error = explain(error)
        return
    row.answers = run.answers
    if warm_up:
        row.warm_up_s = total
    else:
        row.totals.append(total)
        row.runs.append(run)


def explain(error: Exception) -> str:
    """One line on why a run failed, with the way out where there is one."""
    text = str(error).strip().splitlines()
    first = text[0][:300] if text else type(error).__name__
    if isinstance(error, MemoryError) or any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
        return f"out of memory ({first}); ask for fewer branches or a shorter context"
    return first
