"""Load a model and its tokenizer from a folder or the Hub, wired and ready to decode."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from pmind.errors import ModelError
from pmind.models.settings import Settings, apply_requested, load_settings
from pmind.models.wiring import wire

FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_model(
    path_or_id: str | Path,
    *,
    requested: Mapping[str, Any] | None = None,
    override: bool = False,
    dtype: str = "float32",
    device: str = "cpu",
) -> tuple[PreTrainedModel, Settings]:
    """Load a causal language model and wire it for its settings.

    Args:
        path_or_id: a folder, or a Hub id.
        requested: settings the caller asks for, see :func:`pmind.models.settings.apply_requested`.
        override: let ``requested`` differ from what the checkpoint was trained with.
        dtype: ``float32``, ``float64``, ``bfloat16`` or ``float16``.
        device: where torch puts it.

    Returns:
        The wired model in evaluation mode, and the settings it is wired with.

    Raises:
        ModelError: nothing there, weights missing, or a kind of model that cannot be wired.
        SettingsError: ``requested`` differs from the checkpoint's settings.
    """
    folder = resolve_folder(path_or_id)
    settings = apply_requested(load_settings(folder), requested or {}, override=override, where=str(path_or_id))
    return wire(load_stock(folder, dtype, device), settings), settings


def load_stock(folder: Path, dtype: str, device: str) -> PreTrainedModel:
    """Load a causal language model as transformers does, in evaluation mode.

    Raises:
        ModelError: nothing there, weights missing, or an unknown dtype or device.
    """
    if dtype not in DTYPES:
        raise ModelError(f"unknown dtype {dtype!r}; use {', '.join(DTYPES)}")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"no device {device!r} here ({_first_line(error)})") from error
    return _load_weights(folder, DTYPES[dtype]).to(place).eval()


def load_tokenizer(path_or_id: str | Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer beside a model.

    Raises:
        ModelError: there is none.
    """
    folder = resolve_folder(path_or_id)
    try:
        return AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder}: no usable tokenizer ({_first_line(error)})") from error


def opening_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Special tokens that a tokenizer puts before any text; what it puts behind is left out."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    ids = tokenizer("a")["input_ids"]
    starts = (start for start in range(len(ids)) if ids[start : start + len(bare)] == bare)
    return tuple(ids[: next(starts, 0)])


def resolve_folder(path_or_id: str | Path) -> Path:
    """The local folder of a model: the path itself, or a Hub snapshot of an id.

    Raises:
        ModelError: neither a folder with a config nor an id the Hub (or its local cache) knows.
    """
    folder = Path(path_or_id)
    if folder.is_dir():
        if not (folder / "config.json").is_file() and not (folder / "tokenizer.json").is_file():
            raise ModelError(f"{folder}: not a model folder (no config.json)")
        return folder
    try:
        return Path(snapshot_download(str(path_or_id), allow_patterns=FILES))
    except (HFValidationError, LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelError(f"{path_or_id}: no such folder, and not found on the Hub ({_first_line(error)})") from error


def _load_weights(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: not a model folder (no config.json)")
    if not list(folder.glob("*.safetensors")):
        raise ModelError(f"{folder}: no weights (*.safetensors); train the model or convert its weights to safetensors")
    if not sys.stderr.isatty():
        transformers_logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(folder)
        return AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=dtype, use_safetensors=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise ModelError(f"{folder}: cannot be loaded ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
