"""What a run says while it goes on: a bar on a terminal, else a line in the log now and then."""

import logging
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property

import torch
from accelerate import Accelerator
from tqdm import tqdm

from pmind.hardware import measure_peak
from pmind.training.flops import ModelFlops
from pmind.training.objective import Share
from pmind.training.progress import Progress

RECENT = 50  # steps that the speed is the mean of
EVERY = 60.0  # seconds between two lines
CPU_MATRIX = 1024  # rows of the product that gives a CPU's peak: a second's work at most

logger = logging.getLogger(__name__)


class Pace:
    """Tokens a second and the share of the hardware's peak that the model's own arithmetic takes."""

    def __init__(self, flops: ModelFlops, dtype: torch.dtype, accelerator: Accelerator) -> None:
        """Args: flops: of the model. dtype: of its matrix products. accelerator: of this process."""
        self._flops, self._dtype, self._device = flops, dtype, accelerator.device
        self._processes = accelerator.num_processes
        self.first = accelerator.is_main_process
        self._recent: deque[tuple[int, int, float]] = deque(maxlen=RECENT)

    def add(self, share: Share, seconds: float) -> None:
        """Count a step of all processes."""
        flops = self._flops.step(share.lengths, share.label_tokens)
        self._recent.append((sum(share.lengths), flops, seconds))

    @property
    def seconds(self) -> float:
        """A step's time."""
        return sum(seconds for _, _, seconds in self._recent) / len(self._recent)

    @property
    def tokens_per_second(self) -> float:
        """Tokens of the flat sequences, padding not included."""
        return sum(tokens for tokens, _, _ in self._recent) / len(self._recent) / self.seconds

    @property
    def utilisation(self) -> float:
        """Model FLOPs utilisation (PaLM, 2022): operations a second that the model needs, over the peak."""
        flops = sum(flops for _, flops, _ in self._recent) / len(self._recent)
        return flops / self.seconds / (self._peak * self._processes)

    @cached_property
    def _peak(self) -> float:
        return measure_peak(self._dtype, self._device, CPU_MATRIX if self._device.type == "cpu" else None)


@contextmanager
def show_progress(progress: Progress, steps: int, pace: Pace) -> Iterator[Callable[[], None]]:
    """A function to call after each step, which shows it; the first process alone says anything.

    Args:
        progress: of the run, resumed.
        steps: to make in all.
        pace: counts the steps.
    """
    if not pace.first:
        yield lambda: None
    elif sys.stderr.isatty():
        with tqdm(total=steps, initial=progress.step, unit="step") as bar:
            yield lambda: _advance(bar, progress, pace)
    else:
        yield _Lines(progress, steps, pace)


def _advance(bar: tqdm, progress: Progress, pace: Pace) -> None:
    bar.set_postfix_str(_speed(progress, pace), refresh=False)
    bar.update()  # which tells the time left


class _Lines:
    def __init__(self, progress: Progress, steps: int, pace: Pace) -> None:
        self._progress, self._steps, self._pace = progress, steps, pace
        self._next = time.monotonic() + EVERY

    def __call__(self) -> None:
        if time.monotonic() < self._next:
            return
        left = timedelta(seconds=round((self._steps - self._progress.step) * self._pace.seconds))
        logger.warning(
            "step %d of %d, %s, %s left", self._progress.step, self._steps, _speed(self._progress, self._pace), left
        )
        self._next = time.monotonic() + EVERY


def _speed(progress: Progress, pace: Pace) -> str:
    return f"loss {progress.losses[-1]:.3f}, {pace.tokens_per_second:,.0f} tokens/s, {pace.utilisation:.1%} of peak"
