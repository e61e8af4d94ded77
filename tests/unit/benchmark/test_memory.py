import os

import pytest

from pmind.benchmark import memory
from pmind.benchmark.memory import measure_peaks, memory_source
from pmind.benchmark.timing import time_run
from pmind.benchmark.workload import Workload
from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import DecodingError

WORK = Workload(context_tokens=440, prompt_tokens=2, answer_tokens=2)
BRANCHES = 64


@pytest.mark.skipif(memory_source("cpu") == "not measured", reason="needs /proc/self/clear_refs")
def test_batch_needs_the_memory_of_its_repeated_contexts(folder):
    keys = [("parallel", BRANCHES), ("batch", BRANCHES)]
    calls = []
    peaks = measure_peaks(folder, WORK, keys, threads=1, on_row=lambda: calls.append(1))
    decoder = ParallelDecoder.from_pretrained(folder)
    repeated = time_run(decoder, WORK, "batch", BRANCHES)[0].kv_bytes
    assert peaks["batch", BRANCHES] >= 0.9 * repeated  # the buffers are filled to the end
    assert peaks["parallel", BRANCHES] < 0.5 * repeated
    assert len(calls) == 2


def test_a_killed_process_is_one_clear_line(folder, monkeypatch):
    monkeypatch.setattr(memory, "peak_bytes", die)
    with pytest.raises(DecodingError, match="decoded 3 branches with batch was killed"):
        measure_peaks(folder, WORK, [("batch", 3)], threads=1)


def test_an_error_in_the_process_reaches_the_caller(folder):
    with pytest.raises(DecodingError, match="512 positions"):
        measure_peaks(folder, Workload(600, 2, 2), [("parallel", 1)], threads=1)


def die(*_: object) -> None:
    os._exit(9)
