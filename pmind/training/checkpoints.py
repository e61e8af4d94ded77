"""Resumable checkpoints: all or nothing, the last one only, and only for the run that wrote them."""

import hashlib
import json
import logging
import os
import random
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from pmind.training.distributed import shard_like, whole
from pmind.training.progress import Progress

FORMAT = 2  # of the files below
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

    def save(
        self, model: nn.Module, optimizers: Sequence[Optimizer], progress: Progress, accelerator: Accelerator
    ) -> None:
        """Write a checkpoint beside the last one, then let it take that one's place; a call for all processes."""
        weights = {name: whole(value.detach()).contiguous() for name, value in _trained(model, accelerator).items()}
        state = {
            "optimizers": [whole(optimizer.state_dict()) for optimizer in optimizers],
            "progress": asdict(progress),
            "random": gather_object([_random_state(accelerator.device)]),
        }
        if accelerator.is_main_process:
            self._write(weights, state, f"step-{progress.step:08d}")
        accelerator.wait_for_everyone()

    def resume(self, model: nn.Module, optimizers: Sequence[Optimizer], accelerator: Accelerator) -> Progress:
        """Put the last checkpoint's state into model and optimizers; start anew when there is none for this run.

        Every process reads the folder, so it lies where all of them can. With another number of
        processes than wrote it a run goes on exactly, but for what dropout drops.
        """
        last = self._last(accelerator)
        if last is None:
            return Progress()
        for name, value in load_file(last / WEIGHTS).items():
            parameter = _trained(model, accelerator)[name].detach()
            parameter.copy_(shard_like(value, parameter))
        state = torch.load(last / STATE, weights_only=True, map_location="cpu")
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            _load_optimizer(optimizer, saved)
        if accelerator.is_main_process:
            logger.warning("resuming from %s", last)
        if len(state["random"]) == accelerator.num_processes:
            _set_random_state(state["random"][accelerator.process_index], accelerator.device)
        elif accelerator.is_main_process:
            logger.warning(
                "%d processes go on where %d stopped: dropout, if any, takes other random numbers",
                accelerator.num_processes,
                len(state["random"]),
            )
        return Progress(**state["progress"])

    def remove(self) -> None:
        """Delete all checkpoints."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _finished(self) -> list[Path]:
        return sorted(self.folder.glob("step-*"))

    def _last(self, accelerator: Accelerator) -> Path | None:
        finished = self._finished()
        own = not finished or (finished[-1] / FINGERPRINT).read_text(encoding="utf-8") == self.fingerprint
        accelerator.wait_for_everyone()  # all have read before one removes
        if own:
            return finished[-1] if finished else None
        if accelerator.is_main_process:
            logger.warning("%s is of another run (other params, data or versions): starting anew", finished[-1])
            self.remove()
        return None

    def _write(self, weights: dict[str, Tensor], state: dict[str, object], name: str) -> None:
        unfinished = self.folder / UNFINISHED
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        save_file(weights, unfinished / WEIGHTS)
        torch.save(state, unfinished / STATE)
        (unfinished / FINGERPRINT).write_text(self.fingerprint, encoding="utf-8")
        for path in unfinished.iterdir():
            _flush(path)
        older = self._finished()
        unfinished.rename(self.folder / name)
        for path in older:
            shutil.rmtree(path)


def fingerprint_of(**parts: object) -> str:
    """A digest of all that decides a run's outcome; equal parts give equal digests.

    Args:
        parts: what ``json.dumps`` takes, or anything with a telling ``str``.
    """
    parts |= {name: version(name) for name in ("torch", "transformers", "peft")} | {"format": FORMAT}
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def folder_digest(folder: Path) -> str:
    """A digest of all files of a folder, names included."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(folder)}:{content}\n".encode())
    return digest.hexdigest()


def _trained(model: nn.Module, accelerator: Accelerator) -> dict[str, nn.Parameter]:
    """Parameters that training changes, each once: an adapter's, or all."""
    named = accelerator.unwrap_model(model).named_parameters()
    return {name: parameter for name, parameter in named if parameter.requires_grad}


def _load_optimizer(optimizer: Optimizer, saved: dict) -> None:
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, entries in saved["state"].items():
        for name, value in entries.items():
            entries[name] = shard_like(value, parameters[number])
    optimizer.load_state_dict(saved)


def _random_state(device: torch.device) -> dict[str, object]:
    state: dict[str, object] = {"python": random.getstate(), "torch": torch.get_rng_state()}
    return state | {"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else state


def _set_random_state(state: dict, device: torch.device) -> None:
    random.setstate(state["python"])
    torch.set_rng_state(state["torch"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)


def _flush(path: Path) -> None:
    with path.open("rb") as written:
        os.fsync(written.fileno())
