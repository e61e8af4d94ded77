"""The whole benchmark of one model: every method at every number of branches, timed and weighed."""

from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

from pmind.benchmark.memory import measure_peaks
from pmind.benchmark.rows import BenchmarkRow, build_rows
from pmind.benchmark.timing import time_rows
from pmind.benchmark.workload import Workload
from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import DecodingError
from pmind.methods import METHODS


def run_benchmark(
    model: str | Path,
    decoder: ParallelDecoder,
    workload: Workload,
    branches: Sequence[int],
    *,
    repeats: int,
    methods: Sequence[str] = tuple(METHODS),
) -> list[BenchmarkRow]:
    """Measure every method at every number of branches.

    Args:
        model: folder or Hub id that DECODER was loaded from; peak memory is measured in
            processes that load it again.
        decoder: the model, on the device and in the dtype to measure.
        workload: lengths of context, prompts and answers.
        branches: numbers of questions that a group has.
        repeats: timed runs of each row, after one warm-up.
        methods: names of the methods.

    Raises:
        DecodingError: nothing to measure, or the workload does not fit the model or the memory.
    """
    keys = [(method, count) for count in dict.fromkeys(branches) for method in methods]
    if not keys:
        raise DecodingError("nothing to measure; benchmark.branches needs at least one number")
    dtype, device = str(decoder.model.dtype).removeprefix("torch."), str(decoder.model.device)
    with tqdm(total=len(keys) * (2 + repeats), desc="benchmark", unit="run", disable=None) as bar:
        timed = time_rows(decoder, workload, keys, repeats=repeats, on_run=bar.update)
        threads = torch.get_num_threads()
        peaks = measure_peaks(model, workload, keys, threads=threads, dtype=dtype, device=device, on_row=bar.update)
    return build_rows(timed, peaks)
