"""Compile ``kernel.cpp`` once per machine, load it, and mirror its structs.

The library is kept in the user's cache folder under a name that comes from the source, the
compiler and the processor. Without a compiler, :func:`load` returns ``None`` and says so once.
"""

import ctypes
import functools
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import tempfile
from ctypes import POINTER, c_float, c_int32, c_int64, c_void_p
from pathlib import Path

import torch  # its OpenMP runtime must be in the process before the kernel's

SOURCE = Path(__file__).with_name("kernel.cpp")
FLAGS = ["-O3", "-march=native", "-std=c++20", "-ffp-contract=fast", "-fno-math-errno", "-fopenmp", "-shared", "-fPIC"]
WIDEN = "-DPMIND_WIDEN"  # Intel's bfloat16 dot products run at half the rate of its float32 products
SWITCH = "PMIND_NATIVE"  # "0" turns the kernel off
MAPS, CPU_INFO = Path("/proc/self/maps"), Path("/proc/cpuinfo")
logger = logging.getLogger(__name__)


class Packed(ctypes.Structure):
    """A linear layer: panels, bias, size."""

    _fields_ = (("panels", c_void_p), ("bias", c_void_p), ("outputs", c_int64), ("inputs", c_int64))


class Layer(ctypes.Structure):
    """One decoder layer's weights."""

    _fields_ = (
        *((name, Packed) for name in ("query", "key", "value", "output", "gate", "up", "down")),
        *((name, c_void_p) for name in ("input_norm", "inner_norm", "query_norm", "key_norm")),
    )


class Shape(ctypes.Structure):
    """Sizes that all layers share."""

    _fields_ = (
        *((name, c_int64) for name in ("layers", "hidden", "heads", "kv_heads", "head_size", "inner")),
        *((name, c_float) for name in ("epsilon", "head_epsilon", "scale")),
    )


@functools.cache
def load() -> ctypes.CDLL | None:
    """The compiled kernel, or ``None`` where it is switched off or cannot be built."""
    if os.environ.get(SWITCH) == "0":
        return None
    compiler = next((path for path in map(shutil.which, ("g++", "c++", "clang++")) if path), None)
    if compiler is None or platform.system() != "Linux":
        logger.warning("no C++ compiler found: decoding on the CPU runs without its compiled column, at half the speed")
        return None
    try:
        return _declare(ctypes.CDLL(str(_built(compiler))))
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        logger.warning("the compiled decoding column is not used, it cannot be built: %s", reason.strip()[:500])
        return None


def cache_folder() -> Path:
    """Where compiled kernels are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pmind"


def _built(compiler: str) -> Path:
    """Path of the library, compiled now if it is not there."""
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True).stdout
    openmp, processor = _openmp_runtime(), _processor()
    flags = [*FLAGS, WIDEN] if "GenuineIntel" in processor else FLAGS
    key = "\n".join([SOURCE.read_text(encoding="utf-8"), version, processor, *flags, *openmp])
    path = cache_folder() / f"column-{hashlib.sha256(key.encode()).hexdigest()[:16]}.so"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            made = Path(folder) / path.name
            command = [compiler, *flags, str(SOURCE), "-o", str(made), *openmp]
            subprocess.run(command, capture_output=True, text=True, check=True)
            made.replace(path)  # atomic: another process may be building the same
    return path


def _openmp_runtime() -> list[str]:
    """Torch's own OpenMP runtime: two runtimes in one process would fight over the cores.

    Other packages bring theirs (scikit-learn does); torch's lies in its folder, or is the only one.
    """
    lines = MAPS.read_text(encoding="utf-8").splitlines()
    paths = {line.split(maxsplit=5)[-1] for line in lines if "libgomp" in line}
    home = Path(torch.__file__).parent
    own = {path for path in paths if path.startswith((f"{home}/", f"{home}.libs/"))}
    return ["-Wl,--as-needed", *sorted(own or paths)]


def _processor() -> str:
    lines = CPU_INFO.read_text(encoding="utf-8").splitlines()
    wanted = ("vendor_id", "model name", "flags", "CPU part", "Features")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    library.pmind_pack.argtypes = (c_void_p, c_void_p, c_int64, c_int64, c_int32)
    library.pmind_linear.argtypes = (POINTER(Packed), c_void_p, c_void_p, c_int64, c_int32, c_int32)
    library.pmind_column.argtypes = (
        *(POINTER(Shape), POINTER(Layer), c_void_p, POINTER(Packed)),
        *(c_void_p, c_int64) * 3,  # groups, tokens, wanted
        *(c_void_p, c_void_p, c_void_p, c_void_p, c_int32, c_int32, c_int32),
    )
    for function in (library.pmind_pack, library.pmind_linear, library.pmind_column):
        function.restype = None
    return library
