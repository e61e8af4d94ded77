"""The whole benchmark of one model: every method at every number of branches, timed and weighed."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import AutoConfig

from pmind.benchmark.conditions import Conditions, describe
from pmind.benchmark.load import Stream, load_test
from pmind.benchmark.memory import measure_peaks
from pmind.benchmark.models import Models, model_folder
from pmind.benchmark.roofline import measure_machine
from pmind.benchmark.rows import BenchmarkRow, build_rows, count_columns
from pmind.benchmark.runners.catalog import RUNNERS, start
from pmind.benchmark.runners.protocol import Runner, Setup
from pmind.benchmark.timing import RowKey, TimedRow, explain, time_rows
from pmind.benchmark.workload import Workload
from pmind.errors import DecodingError, PmindError
from pmind.models.loading import DTYPES


@dataclass(frozen=True)
class Plan:
    """What is measured, and how.

    Attributes:
        model: a folder, a Hub id, or a preset whose weights are random.
        workload: lengths of context, prompts and answers.
        branches: numbers of questions that a group has.
        methods: names from :data:`pmind.benchmark.runners.catalog.RUNNERS`.
        dtype: of weights and cache.
        device: as torch names it.
        threads: CPU threads.
        repeats: timed runs of each row, after one warm-up.
        memory: whether peak memory is measured, too: every row once more in a process of its own.
        url: of the method ``server``.
    """

    model: str
    workload: Workload
    branches: tuple[int, ...]
    methods: tuple[str, ...]
    dtype: str = "float32"
    device: str = "cpu"
    threads: int = 2
    repeats: int = 5
    memory: bool = True
    url: str = ""


@dataclass(frozen=True)
class Result:
    """What was measured.

    Attributes:
        rows: one a method and number of branches, those that failed left out.
        conditions: machine, versions, model and workload.
        failures: a line for each row that failed, with the reason.
        interrupted: whether the run was ended early; memory is not measured then.
    """

    rows: list[BenchmarkRow]
    conditions: Conditions
    failures: list[str]
    interrupted: bool = False


def run_benchmark(plan: Plan, on_round: Callable[[Result], object] = lambda result: None) -> Result:
    """Measure every method at every number of branches, on the plan's number of threads.

    A method that cannot be started or fails is reported and left out; the others go on.

    Args:
        plan: what to measure.
        on_round: called with what is known after every timed round, so that it can be kept.

    Raises:
        DecodingError: nothing to measure, an unknown method, or none of the methods can be started.
        ModelError: no such model, or one without weights.
    """
    keys = [(method, count) for count in dict.fromkeys(plan.branches) for method in dict.fromkeys(plan.methods)]
    _check(plan, keys)
    torch.set_num_threads(plan.threads)
    work = plan.workload
    with ExitStack() as stack:
        setup = _setup(plan, stack.enter_context(model_folder(plan.model, plan.dtype, work.seed)))
        config = AutoConfig.from_pretrained(setup.folder)
        runners, failures = _start(plan.methods, Models(setup))
        for runner in runners.values():
            stack.callback(runner.close)
        keys = [key for key in keys if key[0] in runners]
        machine = measure_machine(DTYPES[plan.dtype], torch.device(plan.device))
        counted = count_columns(keys, config, work)

        def result(timed: dict[RowKey, TimedRow], peaks: dict[RowKey, int | str | None]) -> Result:
            rows = build_rows(timed, peaks, config, plan.dtype, work, machine, counted)
            repeats = max((len(row.totals) for row in timed.values()), default=0)  # fewer when interrupted
            conditions = describe(plan.model, setup, config, work, repeats, machine, runners)
            return Result(rows, conditions, [*failures, *_failed(timed), *_unweighed(peaks)])

        def after_round(timed: dict[RowKey, TimedRow]) -> None:
            nonlocal machine
            machine = machine.best(measure_machine(DTYPES[plan.dtype], torch.device(plan.device)))
            on_round(result(timed, {}))

        steps = len(keys) * (1 + plan.repeats + plan.memory)
        with tqdm(total=steps, desc="benchmark", unit="run", disable=None) as bar:
            timed, interrupted = time_rows(
                runners,
                work,
                config.vocab_size,
                keys,
                repeats=plan.repeats,
                on_run=bar.update,
                on_round=after_round,
            )
            weighed = [key for key, row in timed.items() if row.error is None and plan.memory and not interrupted]
            peaks = measure_peaks(setup, work, config.vocab_size, weighed, on_row=bar.update)
        return replace(result(timed, peaks), interrupted=interrupted)


def run_load_test(plan: Plan, stream: Stream) -> dict[str, float | int]:
    """Serve a stream of groups with ``parallel``; see :func:`pmind.benchmark.load.load_test`."""
    torch.set_num_threads(plan.threads)
    with model_folder(plan.model, plan.dtype, plan.workload.seed) as folder:
        decoder = Models(_setup(plan, folder)).decoder
        with tqdm(total=1 + len(stream.shares), desc="load test", unit="rate", disable=None) as bar:
            return load_test(decoder, plan.workload, stream, on_run=bar.update)


def _setup(plan: Plan, folder: Path) -> Setup:
    work = plan.workload
    return Setup(
        *(folder, plan.dtype, plan.device, plan.threads),
        *(work.context_tokens, work.prompt_tokens, work.answer_tokens, max(plan.branches), plan.url),
    )


def _check(plan: Plan, keys: Sequence[RowKey]) -> None:
    unknown = [method for method in plan.methods if method not in RUNNERS]
    if unknown:
        raise DecodingError(f"unknown method {unknown[0]!r}; use {', '.join(RUNNERS)}")
    if not keys or min(plan.branches) < 1:
        raise DecodingError("nothing to measure; name at least one method and one number of branches, 1 or more")
    if "server" in plan.methods and not plan.url:
        raise DecodingError("the method server needs the address of a server; pass --url http://127.0.0.1:8000/v1")
    if plan.dtype not in DTYPES:
        raise DecodingError(f"unknown dtype {plan.dtype!r}; use {', '.join(DTYPES)}")


def _start(methods: Sequence[str], models: Models) -> tuple[dict[str, Runner], list[str]]:
    runners, failures = {}, []
    for method in dict.fromkeys(methods):
        try:
            runners[method] = start(method, models)
        except (PmindError, MemoryError, RuntimeError) as error:
            failures.append(f"{method}: {explain(error)}")
    if not runners:
        raise DecodingError(failures[0])
    return runners, failures


def _failed(timed: dict[RowKey, TimedRow]) -> list[str]:
    return [f"{method} at {count} branches: {row.error}" for (method, count), row in timed.items() if row.error]


def _unweighed(peaks: dict[RowKey, int | str | None]) -> list[str]:
    return [f"memory of {method} at {count}: {why}" for (method, count), why in peaks.items() if isinstance(why, str)]
