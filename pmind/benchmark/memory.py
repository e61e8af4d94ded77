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

from pmind.benchmark.timing import RowKey, time_run
from pmind.benchmark.workload import Workload
from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import DecodingError

STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"  # proc(5): resets the peak resident set size to the current one


def measure_peaks(
    model: str | Path,
    workload: Workload,
    keys: Sequence[RowKey],
    *,
    threads: int,
    dtype: str = "float32",
    device: str = "cpu",
    on_row: Callable[[], object] = lambda: None,
) -> dict[RowKey, int | None]:
    """Bytes that each row needs at its peak, beyond what the loaded model takes.

    Args:
        model: folder or Hub id; every process loads it anew.
        workload: lengths of context, prompts and answers.
        keys: method and number of branches of each row.
        threads: CPU threads.
        dtype: of weights and cache.
        device: where torch puts the model.
        on_row: called after every row.

    Returns:
        Bytes by row: the CUDA allocator's on a GPU, else those of the resident set; ``None``
        where the system does not tell, see :func:`memory_source`.

    Raises:
        DecodingError: a process died, as it does when the memory does not suffice.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    peaks = {}
    for method, branches in keys:
        with ProcessPoolExecutor(1, mp_context=context) as fresh:
            task = fresh.submit(peak_bytes, model, workload, method, branches, threads, dtype, device)
            try:
                peaks[method, branches] = task.result()
            except BrokenProcessPool as error:
                raise DecodingError(
                    f"the process that decoded {branches} branches with {method} was killed, most likely for want "
                    "of memory. Lower benchmark.branches or benchmark.context_tokens"
                ) from error
        on_row()
    return peaks


def peak_bytes(
    model: str | Path, workload: Workload, method: str, branches: int, threads: int, dtype: str, device: str
) -> int | None:
    """Load the model into this process, decode once, and tell how much memory that took."""
    torch.set_num_threads(threads)
    logging.disable_progress_bar()
    decoder = ParallelDecoder.from_pretrained(model, dtype=dtype, device=device)
    if memory_source(device) == "not measured":
        return None
    time_run(decoder, replace(workload, context_tokens=1, answer_tokens=2), method, 1)  # threads and kernels start
    before = _reset_peak(device)
    time_run(decoder, workload, method, branches)
    return _peak(device) - before


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
