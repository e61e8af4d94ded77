"""Resumable checkpoints: all or nothing, the last one only, and only for the run that wrote them."""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_model, save_model
from torch import nn
from torch.optim import Optimizer

from pmind.training.progress import Progress

WEIGHTS, STATE, FINGERPRINT = "model.safetensors", "training.pt", "fingerprint.txt"
UNFINISHED = "unfinished"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoints:
    """Checkpoints of one run in a folder of their own.

    Attributes:
        folder: emptied when it holds another run's checkpoint.
        fingerprint: of settings, params and data, see :func:`fingerprint_of`.
        every: steps between two checkpoints.
    """

    folder: Path
    fingerprint: str
    every: int

    def save(self, model: nn.Module, optimizers: Sequence[Optimizer], progress: Progress) -> None:
        """Write a checkpoint beside the last one, then let it take that one's place."""
        unfinished = self.folder / UNFINISHED
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        save_model(model, str(unfinished / WEIGHTS))
        torch.save(_state(optimizers, progress), unfinished / STATE)
        (unfinished / FINGERPRINT).write_text(self.fingerprint, encoding="utf-8")
        for path in unfinished.iterdir():
            _flush(path)
        older = self._finished()
        unfinished.rename(self.folder / f"step-{progress.step:08d}")
        for path in older:
            shutil.rmtree(path)

    def resume(self, model: nn.Module, optimizers: Sequence[Optimizer]) -> Progress:
        """Put the last checkpoint's state into model and optimizers; start anew when there is none for this run."""
        finished = self._finished()
        if not finished:
            return Progress()
        last = finished[-1]
        if (last / FINGERPRINT).read_text(encoding="utf-8") != self.fingerprint:
            logger.warning("%s is of another run (other params, data or versions): starting anew", last)
            self.remove()
            return Progress()
        load_model(model, str(last / WEIGHTS))
        progress = _restore(torch.load(last / STATE, weights_only=True), optimizers)
        logger.warning("resuming from %s", last)
        return progress

    def remove(self) -> None:
        """Delete all checkpoints."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _finished(self) -> list[Path]:
        return sorted(self.folder.glob("step-*"))


def fingerprint_of(**parts: object) -> str:
    """A digest of all that decides a run's outcome; equal parts give equal digests.

    Args:
        parts: what ``json.dumps`` takes, or anything with a telling ``str``.
    """
    parts["torch"] = torch.__version__
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def folder_digest(folder: Path) -> str:
    """A digest of all files of a folder, names included."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(folder)}:{path.stat().st_size}:".encode() + path.read_bytes())
    return digest.hexdigest()


def _state(optimizers: Sequence[Optimizer], progress: Progress) -> dict[str, object]:
    return {
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "progress": asdict(progress),
        "rng": torch.get_rng_state(),
        "cuda_rng": torch.cuda.get_rng_state_all(),
    }


def _restore(state: dict, optimizers: Sequence[Optimizer]) -> Progress:
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    torch.set_rng_state(state["rng"])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda_rng"])
    return Progress(**state["progress"])


def _flush(path: Path) -> None:
    with path.open("rb") as written:
        os.fsync(written.fileno())
