"""Start a stage's model: its settings, its weights, its folder when done."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from peft import PeftModel
from transformers import GenerationConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from pmind.errors import ModelError
from pmind.geometry import Alignment
from pmind.models.adapters import save_adapter, weights_digest
from pmind.models.loading import hide_bars, load_model, opening_ids, resolve_folder, settings_of
from pmind.models.presets import PRESETS, preset_config
from pmind.models.settings import STOCK, Settings, save_settings
from pmind.models.wiring import wire
from pmind.params import GeometryParams
from pmind.training.batches import Collator


def make_reproducible(seed: int, threads: int) -> None:
    """Make torch give the same results for the same seed and number of threads."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)  # CUDA: some kernels have no deterministic twin


def trained_settings(geometry: GeometryParams, template: Mapping[str, str], branches: tuple[int, int]) -> Settings:
    """Settings of a checkpoint that the pipeline trains.

    Args:
        geometry: the params' top-level keys.
        template: texts around context, question and answer.
        branches: fewest and most branches of a training sample.

    Raises:
        LayoutError: an alignment that the visibility forbids.
    """
    return Settings(**vars(geometry), prompt_template=dict(template), trained_branches=branches)


def start_model(base_model: str, tokenizer: PreTrainedTokenizerBase, settings: Settings) -> PreTrainedModel:
    """A wired model to pretrain: a preset with random weights (from torch's seed), or a base model's own.

    Raises:
        ModelError: the base model cannot be loaded or wired, or its embeddings do not fit the tokenizer.
    """
    if base_model in PRESETS:
        config = preset_config(base_model, len(tokenizer), tokenizer.eos_token_id, tokenizer.pad_token_id)
        return wire(LlamaForCausalLM(config), settings)
    model = load_for_training(base_model, settings)
    rows = model.get_input_embeddings().num_embeddings
    if len(tokenizer) > rows:
        raise ModelError(
            f"{base_model}: {rows} embeddings but {len(tokenizer)} tokens. Run the tokenizer stage for this base_model"
        )
    return model


def load_for_training(model: str | Path, settings: Settings) -> PreTrainedModel:
    """A wired model to train on: one without a branch axis takes any settings, one that has it keeps its own.

    Args:
        model: folder or Hub id, of a model or of an adapter; the latter is loaded merged.
        settings: of the checkpoint to be trained; template and branches may differ from the model's.

    Raises:
        ModelError: the model cannot be loaded or wired.
        SettingsError: it was trained with another setting; names both values.
    """
    free = ("prompt_template", "trained_branches")
    values = {name: value for name, value in asdict(settings).items() if name not in free}
    requested = {"visibility": settings.visibility} | values  # first, so that it is named before what follows from it
    return load_model(model, requested=requested, override=not has_branch_axis(model))[0]


def has_branch_axis(model: str | Path) -> bool:
    """Whether a model was trained to tell branches apart; a stock one was not, nor was one at ratio 0."""
    trained = settings_of(resolve_folder(model)) or STOCK
    return bool(trained.rope_2d_ratio or trained.pair_indices)


def check_room(model: PreTrainedModel, columns: int, what: str) -> None:
    """Refuse samples of more columns than the model has positions.

    Raises:
        ModelError: names both numbers.
    """
    room = model.config.max_position_embeddings
    if columns > room:
        raise ModelError(f"{what} takes {columns} columns, but the model has {room} positions. Use shorter texts")


def make_collator(alignment: Alignment, tokenizer: PreTrainedTokenizerBase) -> Collator:
    """A collator with a tokenizer's special tokens."""
    return Collator(alignment, *special_ids(tokenizer), opening_ids(tokenizer))


def special_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """Ids of the stop token and of padding; padding falls back on the stop token, since nobody sees it.

    Raises:
        ModelError: the tokenizer has no stop token.
    """
    stop = tokenizer.eos_token_id
    if stop is None:
        raise ModelError("the tokenizer has no eos token, which every answer ends with. Use one that has")
    return stop, stop if tokenizer.pad_token_id is None else tokenizer.pad_token_id


def save_trained(
    folder: Path, model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, settings: Settings
) -> None:
    """Write a model or an adapter, with tokenizer, generation config and ``pmind.json``.

    Args:
        folder: where to; a model or adapter that is there is replaced.
        model: wired, without wrappers of a distributed run; an adapter is written without its base model.
        tokenizer: its own.
        settings: what it was trained for.

    Raises:
        ModelError: an adapter would replace its own base model, or that model is gone.
    """
    hide_bars()
    stop_id, pad_id = special_ids(tokenizer)
    generation = GenerationConfig(eos_token_id=stop_id, pad_token_id=pad_id)
    if isinstance(model, PeftModel):
        _save_adapter(folder, model)
        generation.save_pretrained(folder)
    else:
        _clear(folder)
        model.generation_config = generation
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save_settings(folder, settings)


def _save_adapter(folder: Path, model: PeftModel) -> None:
    base = resolve_folder(model.active_peft_config.base_model_name_or_path)
    if folder.is_dir() and folder.samefile(base):
        raise ModelError(f"{folder}: an adapter cannot replace the base model it needs. Write it to another folder")
    _clear(folder)
    save_adapter(folder, model, weights_digest(base))


def _clear(folder: Path) -> None:
    """Remove what tells a model from an adapter, so that nothing of an older one of the other kind is read."""
    for pattern in ("model*.safetensors*", "config.json", "adapter_*"):
        for path in folder.glob(pattern):
            path.unlink()
