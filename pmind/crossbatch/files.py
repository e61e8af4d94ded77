"""A module's folder within that of its model: weights, and what it was trained for.

::

    model.safetensors   config.json   pmind.json   …
    crossbatch/module.safetensors   crossbatch/module.json
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from pmind.crossbatch.config import CrossBatchConfig
from pmind.crossbatch.hook import attach
from pmind.crossbatch.module import CrossBatch
from pmind.errors import ModelError, SettingsError
from pmind.models.adapters import weights_digest

FOLDER, WEIGHTS, CONFIG = "crossbatch", "module.safetensors", "module.json"


@dataclass(frozen=True)
class Origin:
    """What a module was trained with.

    Attributes:
        model: the model that training began with, as the user named it.
        weights: digest of the weights that it works beside, see :func:`pmind.models.adapters.weights_digest`.
        grouping: how the questions of its groups came together.
    """

    model: str
    weights: str
    grouping: str


def save_crossbatch(folder: Path, module: CrossBatch, *, model: str | Path, grouping: str) -> None:
    """Write a module beside the weights that lie in a folder, and bind it to them.

    Args:
        folder: of the saved model.
        module: trained with those weights.
        model: what training began with.
        grouping: of the groups it was trained on.
    """
    own = folder / FOLDER
    own.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().contiguous().cpu() for name, value in module.state_dict().items()}
    save_file(weights, own / WEIGHTS, {"format": "pt"})
    values = asdict(module.config) | asdict(Origin(str(model), weights_digest(folder), grouping))
    (own / CONFIG).write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def remove_crossbatch(folder: Path) -> None:
    """Delete what :func:`save_crossbatch` wrote, if anything."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def has_crossbatch(folder: Path) -> bool:
    """Whether a model's folder holds a module, too."""
    return (folder / FOLDER / CONFIG).is_file()


def attach_saved(model: PreTrainedModel, folder: Path, *, grouping: str | None = None) -> None:
    """Give a model the module of its folder.

    Args:
        model: loaded from that folder.
        folder: which holds a module.
        grouping: how questions will be grouped; ``None`` leaves that unchecked.

    Raises:
        ModelError: the module was trained with other weights, or its files are damaged.
        SettingsError: it was trained with another grouping; names both.
    """
    config, origin = read_origin(folder)
    found = weights_digest(folder)
    if origin.weights != found:
        raise ModelError(
            f"{folder / FOLDER}: a module for weights {origin.weights[:12]}, trained from {origin.model}, but those "
            f"beside it are {found[:12]}. Put it back beside its own, or train it again"
        )
    if grouping not in (None, origin.grouping):
        raise SettingsError(
            f"{folder}: its cross-batch module was trained on groups by {origin.grouping}, but groups by {grouping} "
            "are asked for. Group them alike, or ask for no grouping to use it all the same"
        )
    with torch.device("meta"):  # so that torch's random stream does not move on
        module = CrossBatch(model.config.hidden_size, config)
    try:
        module.load_state_dict(load_file(folder / FOLDER / WEIGHTS), assign=True)
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{folder / FOLDER}: cannot be loaded ({reason}). Train it again") from error
    attach(model, module.eval())


def read_origin(folder: Path) -> tuple[CrossBatchConfig, Origin]:
    """What a module is made of, and what it was trained with.

    Raises:
        ModelError: the file is not what :func:`save_crossbatch` writes.
    """
    path = folder / FOLDER / CONFIG
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        origin = Origin(*(values.pop(name) for name in ("model", "weights", "grouping")))
        return CrossBatchConfig(**values), origin
    except (OSError, ValueError, TypeError, KeyError, ModelError) as error:
        raise ModelError(f"{path}: not a cross-batch module ({error!r}). Train it again") from error
