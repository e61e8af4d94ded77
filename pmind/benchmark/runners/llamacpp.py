"""llama.cpp: parallel sequences that share the cells of one context, driven token by token."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import numpy as np

from pmind.benchmark.runners.checkpoint import Shape, read_checkpoint, read_shape
from pmind.benchmark.runners.checks import check_room
from pmind.benchmark.runners.gguf_file import WeightType, write_gguf
from pmind.benchmark.runners.protocol import Run, Setup
from pmind.decoding.branches import GroupRequest
from pmind.errors import DecodingError, ModelError
from pmind.models.engines import check_kind, load_package

MICRO_BATCH = 512  # tokens computed at once
ERROR = 4  # GGML_LOG_LEVEL_ERROR


PRECISIONS: dict[str, tuple[WeightType, int]] = {  # of matrices; of keys and values, as llama.cpp numbers types
    "float32": ("F32", 0),
    "float16": ("F16", 1),
    "bfloat16": ("BF16", 30),
}
FUSE_NEVER, FUSE_IF_POSSIBLE = 0, -1  # LLAMA_FLASH_ATTN_TYPE_DISABLED and _AUTO


@dataclass(frozen=True)
class _Token:
    """One token to be read: its id, column and sequence, and whether the next one is wanted."""

    id: int
    column: int
    sequence: int
    asks: bool


def start(setup: Setup) -> LlamaCppRunner:
    """Convert the model of SETUP and load it.

    Raises:
        ModelError: a package is missing, the model cannot be converted, or the dtype or device cannot be run.
    """
    check_kind(setup.dtype, setup.device, engine="llamacpp", dtypes=PRECISIONS, devices=("cpu", "cuda"))
    llama = load_package("llama_cpp", engine="llamacpp", distribution="llama-cpp-python", extra="llamacpp")
    load_package("gguf", engine="llamacpp", distribution="gguf", extra="llamacpp")
    if setup.device != "cpu" and not llama.llama_supports_gpu_offload():
        raise ModelError(
            "llamacpp was built without CUDA; CMAKE_ARGS=-DGGML_CUDA=on pip install --force-reinstall llama-cpp-python"
        )
    return LlamaCppRunner(llama, setup)


class LlamaCppRunner:
    """A context of llama.cpp whose cells all sequences share.

    Call ``reset`` before each ``run``; a run that finds cells filled empties them on the clock.
    """

    def __init__(self, llama: ModuleType, setup: Setup) -> None:
        self.version: str = llama.__version__
        self._llama = llama
        _log_only_errors(llama)
        self._setup = setup
        self._shape = read_shape(setup.folder)
        self._weights, self._cache = PRECISIONS[setup.dtype]
        self._model = self._load()
        self._context = self._open()
        self._memory = llama.llama_get_memory(self._context)
        self._batch = llama.llama_batch_init(_largest_batch(setup), 0, 1)

    def reset(self) -> None:
        """Forget every token read."""
        self._llama.llama_memory_clear(self._memory, True)

    def run(self, request: GroupRequest, answer_tokens: int) -> Run:
        """Answer REQUEST: the context once, then all prompts in one batch, then a token of each a step."""
        check_room(request, answer_tokens, self._setup)
        begin = time.perf_counter()
        self.reset()
        self._read_context(request)
        newest = self._read(_prompt_tokens(request))
        prefill_s = time.perf_counter() - begin
        columns = [len(request.context) + len(prompt) for prompt in request.prompts]
        chosen = [newest]
        for step in range(answer_tokens - 1):
            newest = self._read([_Token(token, columns[row] + step, row, True) for row, token in enumerate(newest)])
            chosen.append(newest)
        answers = tuple(zip(*chosen, strict=True))
        return Run(answers, prefill_s, prefill_s, answer_tokens - 1, self._kv_bytes())

    def close(self) -> None:
        """Free the model and its context."""
        self._llama.llama_batch_free(self._batch)
        self._llama.llama_free(self._context)
        self._llama.llama_model_free(self._model)

    def _load(self) -> ctypes.c_void_p:
        llama = self._llama
        options = llama.llama_model_default_params()
        options.n_gpu_layers = 0 if self._setup.device == "cpu" else self._shape.layers + 1
        options.use_mmap = False  # the file goes as soon as it is loaded
        with TemporaryDirectory(prefix="pmind-llamacpp-") as folder:
            path = Path(folder) / "model.gguf"
            write_gguf(read_checkpoint(self._setup.folder), path, self._weights)
            model = llama.llama_model_load_from_file(str(path).encode(), options)
        if not model:
            raise ModelError(f"llama.cpp could not load the file written from {self._setup.folder}; see its log above")
        return model

    def _open(self) -> ctypes.c_void_p:
        llama, setup = self._llama, self._setup
        options = llama.llama_context_default_params()
        options.n_ctx = setup.context_tokens + setup.most_branches * (setup.prompt_tokens + setup.answer_tokens)
        options.n_batch = _largest_batch(setup)
        options.n_ubatch = MICRO_BATCH
        options.n_seq_max = setup.most_branches
        options.n_threads = options.n_threads_batch = setup.threads
        options.kv_unified = True  # sequences may share cells
        options.type_k = options.type_v = self._cache
        options.flash_attn_type = _fused_attention(setup)
        context = llama.llama_init_from_model(self._model, options)
        if not context:
            raise ModelError(f"llama.cpp could not open {options.n_ctx} cells in {setup.dtype}; ask for less")
        return context

    def _read_context(self, request: GroupRequest) -> None:
        if not request.context:
            return
        last = len(request.context) - 1
        self._read([_Token(token, column, 0, column == last) for column, token in enumerate(request.context)])
        for row in range(1, len(request.prompts)):
            self._llama.llama_memory_seq_cp(self._memory, 0, row, -1, -1)

    def _read(self, tokens: Sequence[_Token]) -> list[int]:
        """Read TOKENS; the likeliest next one for each that asks."""
        batch = self._batch
        batch.n_tokens = len(tokens)
        for row, token in enumerate(tokens):
            batch.token[row] = token.id
            batch.pos[row] = token.column
            batch.n_seq_id[row] = 1
            batch.seq_id[row][0] = token.sequence
            batch.logits[row] = token.asks
        status = self._llama.llama_decode(self._context, batch)
        if status:
            raise DecodingError(f"llama_decode gave {status} for {len(tokens)} tokens; see llama.h for its meaning")
        asking = sum(token.asks for token in tokens)
        logits = np.ctypeslib.as_array(self._llama.llama_get_logits(self._context), (asking, self._shape.vocab))
        return logits.argmax(axis=1).tolist()

    def _kv_bytes(self) -> int:
        shape: Shape = self._shape
        numbers = 2 * shape.layers * shape.kv_heads * shape.head_width  # keys and values of a token
        return self._llama.llama_n_ctx(self._context) * numbers * (4 if self._setup.dtype == "float32" else 2)


@cache  # llama.cpp calls it for as long as the process lives
def _log_only_errors(llama: ModuleType) -> Callable:
    def log(level: int, text: bytes, _: object) -> None:
        if level == ERROR:
            sys.stderr.write(text.decode(errors="replace"))

    callback = llama.llama_log_callback(log)
    llama.llama_log_set(callback, None)
    return callback


def _fused_attention(setup: Setup) -> int:
    """Never for float32, since it computes in float16, nor on CPUs, where it was no faster in any dtype."""
    return FUSE_NEVER if setup.dtype == "float32" or setup.device == "cpu" else FUSE_IF_POSSIBLE


def _largest_batch(setup: Setup) -> int:
    return max(2048, setup.context_tokens, setup.most_branches * setup.prompt_tokens)


def _prompt_tokens(request: GroupRequest) -> list[_Token]:
    return [
        _Token(token, len(request.context) + place, row, place == len(prompt) - 1)
        for row, prompt in enumerate(request.prompts)
        for place, token in enumerate(prompt)
    ]
