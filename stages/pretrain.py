"""Pretrain a model on texts as branches."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, get_type_hints

import typer
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from pmind.models.adapters import start_adapter, weights_digest
from pmind.models.loading import load_tokenizer, opening_ids, resolve_folder
from pmind.models.presets import PRESETS
from pmind.models.settings import Settings
from pmind.params import (
    GeometryParams,
    LoraParams,
    PretrainParams,
    RunParams,
    TextParams,
    TrainingParams,
    load_section,
)
from pmind.stage import run_stage, write_metrics
from pmind.tasks.prompts import PromptTemplate
from pmind.training.checkpoints import Checkpoints, fingerprint_of
from pmind.training.distributed import join_training
from pmind.training.memory import keep_freed_memory
from pmind.training.objective import make_objective
from pmind.training.passages import encoder, read_passages
from pmind.training.run import run_training
from pmind.training.start import (
    check_room,
    make_collator,
    make_reproducible,
    save_trained,
    start_model,
    trained_settings,
)
from pmind.training.texts import TextSteps
from pmind.training.validation import Row, loss_by_branches, validation_rows
from pmind.visibility import VISIBILITIES


def main(
    tokenizer: Annotated[Path, typer.Argument(help="Folder of the tokenizer, e.g. data/tokenizer.")],
    out: Annotated[Path, typer.Argument(help="Folder of the model to write, e.g. data/models/base.")],
    metrics: Annotated[Path, typer.Argument(help="File to write, e.g. metrics/pretrain.json.")],
    loss: Annotated[Path, typer.Argument(help="Validation loss by branch count, e.g. metrics/loss.json.")],
    *,
    params: Annotated[Path, typer.Option(help="Parameters of the pipeline.")] = Path("params.yaml"),
    checkpoints: Annotated[Path, typer.Option(help="Folder of resumable checkpoints.")] = Path(
        "data/checkpoints/pretrain"
    ),
    curves: Annotated[Path, typer.Option(help="Folder of the live plots.")] = Path("data/curves/pretrain"),
) -> None:
    """Pretrain the base model on the pipeline's texts; write OUT, METRICS and LOSS.

    Killed and repeated, it goes on from its last checkpoint.

    Example: python -m stages.pretrain data/tokenizer data/models/base metrics/pretrain.json metrics/loss.json
    """
    config = _load(params)
    seed, pretrain = config.run.seed, config.pretrain
    processes = join_training()
    keep_freed_memory()
    make_reproducible(seed, config.run.threads)
    words = load_tokenizer(tokenizer)
    encode, settings = encoder(words), _settings(config)
    model = _start(config, words, settings)
    train, val = (
        read_passages(config.text, split, seed, encode, pretrain.max_branch_tokens) for split in ("train", "val")
    )
    collate = make_collator(settings.alignment, words)
    steps = TextSteps(train, encode, collate.stop_id, pretrain, seed)
    objective = make_objective(steps, collate, config.training, name="pretrain", seed=seed)
    base = None if config.run.base_model in PRESETS else weights_digest(resolve_folder(config.run.base_model))
    fingerprint = fingerprint_of(
        config=config, settings=settings, texts=train.digest(), words=words.get_vocab(), base=base
    )
    kept = Checkpoints(checkpoints, fingerprint, pretrain.checkpoint_every)
    progress = run_training(model, settings, objective, pretrain, config.training, kept, curves=curves)
    if processes.is_main_process:
        save_trained(out, model, words, settings)
        beside = pretrain.shared_context if pretrain.shared_context_share else None  # whatever the branch range
        rows = validation_rows(val, encode, pretrain.max_branch_tokens, beside, seed)
        rule = VISIBILITIES[settings.visibility]
        write_metrics(loss, loss_by_branches(model, rows, collate, rule, config.training.attention))
        write_metrics(metrics, progress.metrics("pretrain") | _counts(model, steps, rows))
        kept.remove()
        typer.echo(progress.speed())
    processes.wait_for_everyone()


@dataclass(frozen=True)
class Config:
    """The sections that pretraining reads."""

    run: RunParams
    geometry: GeometryParams
    text: TextParams
    training: TrainingParams
    lora: LoraParams
    pretrain: PretrainParams


def _load(params: Path) -> Config:
    top_level = {"run", "geometry"}
    kinds = get_type_hints(Config)
    return Config(
        **{name: load_section(params, None if name in top_level else name, kind) for name, kind in kinds.items()}
    )


def _settings(config: Config) -> Settings:
    branches = (config.pretrain.min_branches, config.pretrain.max_branches)
    return trained_settings(config.geometry, asdict(PromptTemplate()), branches)


def _start(config: Config, words: PreTrainedTokenizerBase, settings: Settings) -> PreTrainedModel | PeftModel:
    pretrain, base_model = config.pretrain, config.run.base_model
    model = start_model(base_model, words, settings)
    context = pretrain.max_branch_tokens if pretrain.shared_context_share else 0
    columns = len(opening_ids(words)) + context + pretrain.max_branch_tokens + pretrain.max_column_offset
    check_room(model, columns, "a context with a text beside it" if context else "a text")
    return start_adapter(model, base_model, **asdict(config.lora)) if pretrain.adapter == "lora" else model


def _counts(model: PreTrainedModel | PeftModel, steps: TextSteps, rows: Sequence[Row]) -> dict[str, float]:
    counts = steps.passages.counts() | {
        "parameters": model.num_parameters(),
        "texts": steps.config.steps * steps.config.batch_size,
        "validation_texts": sum(len(row.texts) for row in rows),
        "validation_contexts": sum(len(row.context) > 0 for row in rows),
    }
    return {f"pretrain.{name}": count for name, count in counts.items()}


if __name__ == "__main__":
    run_stage(main)
