"""Low-rank adapters by PEFT: wrap a model, save what it learnt, merge it into plain weights.

An adapter folder holds the low-rank matrices and names its base model, which is loaded from where it is::

    adapter_model.safetensors   adapter_config.json   adapter_base.json   pmind.json   tokenizer
"""

import difflib
import hashlib
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel

from pmind.errors import ModelError
from pmind.models.presets import PRESETS

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"  # PEFT's names
BASE = "adapter_base.json"
ALL_LINEAR = "all-linear"
PROBES, PROBE_BYTES = 64, 4096  # of each file in a digest of weights


@dataclass(frozen=True)
class Base:
    """What an adapter was trained on.

    Attributes:
        name: folder or Hub id, as the user gave it.
        revision: of the Hub id; ``None`` for its newest.
        digest: of its weights, see :func:`weights_digest`; ``None`` for adapters trained elsewhere.
    """

    name: str
    revision: str | None
    digest: str | None


def start_adapter(
    model: PreTrainedModel,
    base: str | Path,
    *,
    rank: int,
    alpha: float,
    dropout: float,
    target_modules: str,
    rank_stabilised: bool,
    dora: bool,
) -> PeftModel:
    """Freeze a model and put a trainable low-rank adapter beside its linear layers, in place.

    The adapter changes nothing at first. It is float32, its random half is drawn from torch's seed.

    Args:
        model: wired; the output head gets no adapter.
        base: folder or Hub id it was loaded from, which the adapter's folder will name.
        rank: rows of each low-rank matrix, at least 1.
        alpha: the adapter's output is scaled by ``alpha / rank``.
        dropout: of the adapter's input, 0 … 1.
        target_modules: ``all-linear``, or names of linear layers separated by commas.
        rank_stabilised: scale by ``alpha / sqrt(rank)`` instead.
        dora: learn a magnitude for each output beside the direction.

    Raises:
        ModelError: no linear layer of that name, or a base of random weights.
    """
    if str(base) in PRESETS:
        raise ModelError(
            f"{base}: an adapter needs a trained model, but a preset starts from random weights. "
            "Set adapter: none, or a base_model that is a folder or a Hub id"
        )
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=_targets(model, target_modules),
        use_rslora=rank_stabilised,
        use_dora=dora,
        task_type="CAUSAL_LM",
    )
    adapted = _adapted(model, config)
    config.base_model_name_or_path = str(base)  # PEFT puts the folder of a Hub id's snapshot there
    return adapted


def save_adapter(folder: Path, model: PeftModel, base_digest: str) -> None:
    """Write an adapter's weights, PEFT's config of it, and a digest of the base; equal runs give equal bytes.

    Args:
        folder: made if need be.
        model: from :func:`start_adapter`.
        base_digest: of the base's weights, see :func:`weights_digest`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = get_peft_model_state_dict(model, save_embedding_layers=False)
    save_file({name: weight.contiguous() for name, weight in weights.items()}, folder / WEIGHTS, {"format": "pt"})
    values = model.active_peft_config.to_dict() | {"inference_mode": True}
    _write_json(folder / CONFIG, {name: _listed(value) for name, value in values.items()})
    _write_json(folder / BASE, {"weights": base_digest})


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter, so that its base model is needed too."""
    return (folder / CONFIG).is_file()


def read_base(folder: Path) -> Base:
    """What an adapter folder says of its base model.

    Raises:
        ModelError: its files are damaged, or it is an adapter of another kind.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        name, kind, revision = config["base_model_name_or_path"], config["peft_type"], config.get("revision")
        recorded = folder / BASE
        digest = json.loads(recorded.read_text(encoding="utf-8"))["weights"] if recorded.is_file() else None
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{folder}: not an adapter that PEFT wrote ({error!r}). Train it again") from error
    if kind != "LORA":
        raise ModelError(f"{folder}: adapters of kind {kind} are not supported, only LORA")
    if not name:
        raise ModelError(f"{folder / CONFIG}: names no base model. Set base_model_name_or_path to its folder or Hub id")
    return Base(name, revision, digest)


def merge_adapter(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """Add an adapter to the weights of its base model, in place and in their dtype.

    Args:
        model: the base model, not wired or wired.
        folder: of the adapter.

    Raises:
        ModelError: weights are missing or left over, or the adapter changes embeddings that the head shares.
        RuntimeError, ValueError: its shapes or names are not those of the base model.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise ModelError(f"{folder}: no adapter weights ({WEIGHTS}). Train it again, or convert them to safetensors")
    config = LoraConfig.from_pretrained(str(folder))
    config.base_model_name_or_path = None  # PEFT warns when the base was loaded from elsewhere
    adapted = _adapted(model, config, low_cpu_mem_usage=True)  # without it, torch's random stream would move on
    _check_tied(model, folder)
    result = set_peft_model_state_dict(adapted, load_file(path), low_cpu_mem_usage=True)
    missing = [name for name in result.missing_keys if "lora_" in name or "modules_to_save" in name]
    if missing or result.unexpected_keys:
        wrong = f"{missing[0]} is missing" if missing else f"{result.unexpected_keys[0]} has no place"
        raise ModelError(f"{path}: not the adapter that {CONFIG} describes: {wrong}")
    return adapted.merge_and_unload(safe_merge=True)


def weights_digest(folder: Path) -> str:
    """A digest of a folder's weights: every file's size, and bytes from places spread over it.

    It takes milliseconds at any size; training again changes every weight, so these bytes too.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}:".encode())
        with path.open("rb") as file:
            for probe in range(PROBES):
                file.seek(max(0, size - PROBE_BYTES) * probe // (PROBES - 1))
                digest.update(file.read(PROBE_BYTES))
    return digest.hexdigest()


def _adapted(model: PreTrainedModel, config: LoraConfig, **options: bool) -> PeftModel:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)  # PEFT asks, transformers warns
        return get_peft_model(model, config, **options)


def _targets(model: PreTrainedModel, names: str) -> list[str]:
    """Names that PEFT takes for the linear layers meant; it adapts every layer whose name ends in one."""
    head = model.get_output_embeddings()
    layers = [name for name, layer in model.named_modules() if isinstance(layer, nn.Linear) and layer is not head]
    known = sorted({name.rpartition(".")[2] for name in layers})
    if names.strip() == ALL_LINEAR:
        return known
    targets = sorted({name.strip() for name in names.split(",")} - {""})
    for target in targets or [names]:
        if not any(f".{name}".endswith(f".{target}") for name in layers):
            close = difflib.get_close_matches(target, known, n=2) or known
            raise ModelError(
                f"target_modules: {type(model).__name__} has no linear layer {target!r} that can be adapted; "
                f"did you mean {' or '.join(close)}? {ALL_LINEAR} takes {', '.join(known)}"
            )
    return targets


def _check_tied(model: PreTrainedModel, folder: Path) -> None:
    if not model.config.tie_word_embeddings:
        return
    shared = (model.get_input_embeddings(), model.get_output_embeddings())
    if not all(isinstance(module, nn.Embedding | nn.Linear) for module in shared):
        raise ModelError(
            f"{folder}: it changes embeddings or head, which are one matrix in its base model, so it cannot be merged. "
            "Untie them in the base model first"
        )


def _listed(value: object) -> object:
    return sorted(value) if isinstance(value, set) else value  # PEFT writes sets in an order that changes


def _write_json(path: Path, values: dict[str, object]) -> None:
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
