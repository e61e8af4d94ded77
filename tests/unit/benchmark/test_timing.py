import pytest

from pmind.benchmark.runners.catalog import start
from pmind.benchmark.runners.protocol import Run
from pmind.benchmark.timing import explain, time_rows
from pmind.benchmark.workload import Workload
from pmind.errors import DecodingError
from tests.tiny import VOCAB

WORK = Workload(context_tokens=6, prompt_tokens=3, answer_tokens=5)


class Fake:
    """Notes what it is asked, and fails or is interrupted at a given call."""

    version = "fake"

    def __init__(self, name, log, fail_at=None, error=None):
        self.name, self.log, self.fail_at, self.error, self.calls = name, log, fail_at, error, 0

    def reset(self):
        self.log.append(("reset", self.name))

    def run(self, request, answer_tokens):
        self.calls += 1
        self.log.append((self.name, len(request.prompts)))
        if self.calls == self.fail_at:
            raise self.error
        return Run(answers=((self.calls,),), first_token_s=1.0, prefill_s=1.0, columns=1)


def test_methods_take_turns_from_a_cold_cache_and_the_first_round_is_thrown_away():
    log, rounds, steps = [], [], []
    runners = {name: Fake(name, log) for name in ("parallel", "batch")}
    keys = [("parallel", 1), ("batch", 1), ("parallel", 2)]
    timed, interrupted = time_rows(
        runners, WORK, VOCAB, keys, repeats=2, on_run=lambda: steps.append(1), on_round=lambda rows: rounds.append(rows)
    )
    assert [entry for entry in log if entry[0] != "reset"] == keys * 3
    assert [entry[1] for entry in log if entry[0] == "reset"] == [name for name, _ in keys * 3]
    assert (len(steps), len(rounds), interrupted) == (9, 2, False)
    assert all(len(row.totals) == len(row.runs) == 2 for row in timed.values())
    assert timed["parallel", 2].answers == ((6,),)


def test_a_row_that_fails_is_not_run_again_and_the_others_go_on():
    log = []
    runners = {"parallel": Fake("parallel", log), "batch": Fake("batch", log, 2, MemoryError("no room"))}
    timed, _ = time_rows(runners, WORK, VOCAB, [("batch", 1), ("parallel", 1)], repeats=3)
    assert runners["batch"].calls == 2
    assert "out of memory (no room); ask for fewer branches" in timed["batch", 1].error
    assert len(timed["parallel", 1].totals) == 3


def test_an_interrupt_keeps_what_was_timed():
    log = []
    runners = {"parallel": Fake("parallel", log), "batch": Fake("batch", log, 3, KeyboardInterrupt())}
    timed, interrupted = time_rows(runners, WORK, VOCAB, [("parallel", 1), ("batch", 1)], repeats=5)
    assert (len(timed["parallel", 1].totals), len(timed["batch", 1].totals), interrupted) == (2, 1, True)


def test_a_workload_beyond_the_models_positions_is_a_row_that_failed(models):
    runner = start("parallel", models)
    timed, _ = time_rows({"parallel": runner}, Workload(500, 8, 20), VOCAB, [("parallel", 1)], repeats=1)
    assert "512 positions" in timed["parallel", 1].error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (DecodingError("the server died"), "the server died"),
        (RuntimeError("CUDA out of memory. Tried to allocate 3 GiB"), "out of memory (CUDA out of memory."),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory"),
        (RuntimeError(""), "RuntimeError"),
    ],
)
def test_a_failure_is_one_line(error, line):
    assert explain(error).startswith(line)
    assert "\n" not in explain(error)
