"""Peak memory of decoding, every method and number of branches in a process of its own.

A process seldom gives memory back, so only a fresh one tells what a single run needs. The
processes are forked from a server that has imported torch and run nothing, which spares each
of them the seconds that importing takes.
"""

import ctypes
import gc
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import torch
from transformers.utils import logging

from pmind.benchmark.models import Models
from pmind.benchmark.runners.catalog import start
from pmind.benchmark.runners.protocol import Setup
from pmind.benchmark.timing import RowKey, explain
from pmind.benchmark.workload import Workload
from pmind.errors import PmindError

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # proc(5): resets the peak resident set size to the current one
ELSEWHERE = ("server", "vllm")  # their memory is in other processes


def measure_peaks(
    setup: Setup,
    workload: Workload,
    vocab_size: int,
    keys: Sequence[RowKey],
    *,
    on_row: Callable[[], object] = lambda: None,
) -> dict[RowKey, int | str | None]:
    """Bytes that each row needs at its peak, beyond what the loaded model takes.

    Args:
        setup: what each process starts its method with.
        workload: lengths of context, prompts and answers.
        vocab_size: of the model.
        keys: method and number of branches of each row.
        on_row: called after every row.

    Returns:
        Bytes by row: the CUDA allocator's on a GPU, else those of the resident set; ``None``
        where the system does not tell, see :func:`memory_source`; a sentence where the run failed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    peaks: dict[RowKey, int | str | None] = {}
    for method, branches in keys:
        peaks[method, branches] = None
        if memory_source(setup.device) != "not measured" and method not in ELSEWHERE:
            with ProcessPoolExecutor(1, mp_context=context) as fresh:
                task = fresh.submit(peak_bytes, setup, workload, vocab_size, method, branches)
                try:
                    peaks[method, branches] = task.result()
                except BrokenProcessPool:
                    peaks[method, branches] = (
                        "the process that measured its memory was killed, most likely for want of memory; "
                        "ask for fewer branches or a shorter context"
                    )
        on_row()
    return peaks


def peak_bytes(setup: Setup, workload: Workload, vocab_size: int, method: str, branches: int) -> int | str:
    """Load METHOD into this process, answer once, and tell how much memory that took, or why it failed."""
    torch.set_num_threads(setup.threads)
    logging.disable_progress_bar()
    try:
        runner = start(method, Models(setup))
        small = replace(workload, context_tokens=1, answer_tokens=2)
        runner.run(small.request(1, vocab_size), 2)  # threads and kernels start
        runner.reset()
        before = _reset_peak(setup.device)
        runner.run(workload.request(branches, vocab_size), workload.answer_tokens)
        return _peak(setup.device) - before
    except (PmindError, MemoryError, RuntimeError) as error:
        return explain(error)


def memory_source(device: str) -> str:
    """Where peak memory on DEVICE is read from."""
    if torch.device(device).type == "cuda":
        return "CUDA allocator"
    return "resident set" if CLEAR_REFS.exists() else "not measured"


def _reset_peak(device: str) -> int:
    """Bytes in use now, from where the peak starts anew."""
    gc.collect()
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    _return_freed_memory()
    CLEAR_REFS.write_text(RESET_PEAK)
    return _peak(device)


def _peak(device: str) -> int:
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    [kilobytes] = [line.split()[1] for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:")]
    return int(kilobytes) * 1024


def _return_freed_memory() -> None:
    """Hand what loading left in glibc's heap back, for decoding would fill it without a trace."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
