"""Load a model and its tokenizer from a folder or the Hub, wired and ready to decode.

An adapter is loaded merged into its base model, which may be an adapter in turn.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from pmind.errors import ModelError
from pmind.models.adapters import is_adapter, merge_adapter, read_base, weights_digest
from pmind.models.settings import FILE_NAME, STOCK, Settings, apply_requested, load_settings
from pmind.models.wiring import wire

FILES = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}
LOADING_ERRORS = (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError)  # of damaged files


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
        path_or_id: a folder, or a Hub id, of a model or of an adapter.
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
    trained = settings_of(folder) or STOCK
    settings = apply_requested(trained, requested or {}, override=override, where=str(path_or_id))
    return wire(load_stock(folder, dtype, device), settings), settings


def load_stock(folder: Path, dtype: str, device: str) -> PreTrainedModel:
    """Load a causal language model as transformers does, adapters merged in float32, in evaluation mode.

    Raises:
        ModelError: nothing there, weights missing, a base model missing or changed, or an unknown dtype or device.
    """
    if dtype not in DTYPES:
        raise ModelError(f"unknown dtype {dtype!r}; use {', '.join(DTYPES)}")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"no device {device!r} here ({_first_line(error)})") from error
    return _load_merged(folder, DTYPES[dtype]).to(place).eval()


def settings_of(folder: Path) -> Settings | None:
    """What pmind trained a model for; ``None`` for a stock model, and for adapters of one trained elsewhere."""
    if (folder / FILE_NAME).is_file():
        return load_settings(folder)
    return settings_of(base_folder(folder)) if is_adapter(folder) else None


def load_tokenizer(path_or_id: str | Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer beside a model; an adapter without one has its base model's.

    Raises:
        ModelError: there is none.
    """
    folder = resolve_folder(path_or_id)
    if is_adapter(folder) and not (folder / "tokenizer_config.json").is_file():
        return load_tokenizer(base_folder(folder))
    try:
        return AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder}: no usable tokenizer ({_first_line(error)})") from error


def hide_bars() -> None:
    """Keep transformers' progress bars, which ask for no terminal, out of logs."""
    if not sys.stderr.isatty():
        transformers_logging.disable_progress_bar()


def opening_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Special tokens that a tokenizer puts before any text; what it puts behind is left out."""
    bare = tokenizer("a", add_special_tokens=False)["input_ids"]
    ids = tokenizer("a")["input_ids"]
    starts = (start for start in range(len(ids)) if ids[start : start + len(bare)] == bare)
    return tuple(ids[: next(starts, 0)])


def resolve_folder(path_or_id: str | Path, revision: str | None = None) -> Path:
    """The local folder of a model or an adapter: the path itself, or a Hub snapshot of an id.

    Args:
        path_or_id: a folder, or a Hub id.
        revision: of a Hub id; ``None`` for its newest.

    Raises:
        ModelError: neither a folder with a config nor an id the Hub (or its local cache) knows.
    """
    folder = Path(path_or_id)
    if folder.is_dir():
        if not _is_model(folder) and not (folder / "tokenizer.json").is_file():
            raise ModelError(f"{folder}: not a model folder (no config.json)")
        return folder
    try:
        return Path(snapshot_download(str(path_or_id), revision=revision, allow_patterns=FILES))
    except (HFValidationError, LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelError(f"{path_or_id}: no such folder, and not found on the Hub ({_first_line(error)})") from error


def base_folder(adapter: Path) -> Path:
    """The local folder of an adapter's base model.

    A relative path is tried from the current folder, from the adapter's own and from each one above
    that, so that a project can be moved and its models used from anywhere; then it is a Hub id.

    Args:
        adapter: its folder.

    Raises:
        ModelError: the base is not found, or its weights are not those the adapter was trained on.
    """
    base = read_base(adapter)
    places = [Path(base.name), *(above / base.name for above in (adapter, *adapter.absolute().parents))]
    found = [place for place in places if _is_model(place)]
    try:
        found = found or [resolve_folder(base.name, base.revision)]
    except ModelError as error:
        raise ModelError(
            f"{adapter}: its base model is missing. {error}. Bring it back, or say in adapter_config.json where it is"
        ) from error
    found = [place for place in found if not place.samefile(adapter)]
    if not found:
        raise ModelError(f"{adapter}: it names itself as its base model. Say in adapter_config.json where that is")
    for place in found:
        if base.digest in (None, weights_digest(place)):
            return place
    raise ModelError(
        f"{adapter}: its base model {found[0]} has other weights than those it was trained on. "
        "Bring them back, or train the adapter again"
    )


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() or is_adapter(folder)


def _load_merged(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    if not is_adapter(folder):
        return _load_weights(folder, dtype)
    model = _load_merged(base_folder(folder), torch.promote_types(dtype, torch.float32))
    try:
        model = merge_adapter(model, folder)
        if (folder / "generation_config.json").is_file():
            model.generation_config = GenerationConfig.from_pretrained(folder)
    except LOADING_ERRORS as error:
        raise ModelError(f"{folder}: cannot be loaded ({_first_line(error)})") from error
    return _cast(model, dtype)


def _cast(model: PreTrainedModel, dtype: torch.dtype) -> PreTrainedModel:
    for parameter in model.parameters():  # model.to(dtype) would round the rotary frequencies too
        parameter.data = parameter.data.to(dtype)
    model.config.dtype = dtype
    return model


def _load_weights(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: not a model folder (no config.json)")
    if not list(folder.glob("*.safetensors")):
        raise ModelError(f"{folder}: no weights (*.safetensors); train the model or convert its weights to safetensors")
    hide_bars()
    try:
        config = AutoConfig.from_pretrained(folder)
        return AutoModelForCausalLM.from_pretrained(folder, config=config, dtype=dtype, use_safetensors=True)
    except LOADING_ERRORS as error:
        raise ModelError(f"{folder}: cannot be loaded ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
