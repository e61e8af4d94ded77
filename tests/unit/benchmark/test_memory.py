import os
from dataclasses import replace

import pytest

from pmind.benchmark import memory
from pmind.benchmark.memory import measure_peaks, memory_source
from pmind.benchmark.runners.catalog import start
from pmind.benchmark.workload import Workload
from tests.tiny import VOCAB

WORK = Workload(context_tokens=440, prompt_tokens=2, answer_tokens=2)
BRANCHES = 64


@pytest.mark.skipif(memory_source("cpu") == "not measured", reason="needs /proc/self/clear_refs")
def test_batch_needs_the_memory_of_its_repeated_contexts(setup, models):
    keys = [("parallel", BRANCHES), ("batch", BRANCHES)]
    calls = []
    peaks = measure_peaks(setup, WORK, VOCAB, keys, on_row=lambda: calls.append(1))
    repeated = start("batch", models).run(WORK.request(BRANCHES, VOCAB), 2).kv_bytes
    assert peaks["batch", BRANCHES] >= 0.9 * repeated  # the buffers are filled to the end
    assert peaks["parallel", BRANCHES] < 0.2 * repeated
    assert len(calls) == 2


def test_a_killed_process_is_one_clear_line(setup, monkeypatch):
    monkeypatch.setattr(memory, "peak_bytes", die)
    peaks = measure_peaks(setup, WORK, VOCAB, [("batch", 3)])
    assert "was killed" in peaks["batch", 3]


def test_an_error_in_the_process_reaches_the_caller(setup):
    peaks = measure_peaks(setup, Workload(600, 2, 2), VOCAB, [("parallel", 1)])
    assert "512 positions" in peaks["parallel", 1]


def test_memory_of_a_server_is_not_ours_to_measure(setup):
    assert measure_peaks(replace(setup, url="http://nowhere"), WORK, VOCAB, [("server", 1)]) == {("server", 1): None}


def die(*_: object) -> None:
    os._exit(9)
