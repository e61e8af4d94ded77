"""What the process does with memory that a step has freed."""

import ctypes
import os

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h


def keep_freed_memory() -> None:
    """Let this process use freed memory again instead of giving it back to the system, and take it in large pages.

    A training step frees and takes the same large tensors again and again. glibc hands them back to
    the system each time, which then fills every page with zeros anew: a third of a step's time where
    the cores are few. Called before the first tensor; does nothing where the C library is another.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch asks the system for large pages
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, -1)
