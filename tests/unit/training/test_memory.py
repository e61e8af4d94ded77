"""Freed memory stays with the process."""

import subprocess
import sys

import pytest

KEPT = """
import sys
from pathlib import Path
import torch
if sys.argv[1] == "keep":
    from pmind.training.memory import keep_freed_memory
    keep_freed_memory()

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

before = resident()
tensor = torch.ones(1 << 26)
del tensor
print(resident() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc alone is told what to do")
def test_freed_tensors_stay_in_the_process() -> None:
    kept, given_back = (_kept_bytes(how) for how in ("keep", "usual"))

    assert kept > 200e6
    assert given_back < 50e6


def _kept_bytes(how: str) -> int:
    run = subprocess.run([sys.executable, "-c", KEPT, how], capture_output=True, text=True, check=True)
    return int(run.stdout)
