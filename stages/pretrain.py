"""Pretrain a model on texts as branches."""

import random
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from transformers import PreTrainedModel

from pmind.corpora.text import read_documents
from pmind.models.loading import load_tokenizer
from pmind.models.settings import Settings
from pmind.params import GeometryParams, PretrainParams, RunParams, TextParams, load_section
from pmind.stage import run_stage, write_metrics
from pmind.tasks.prompts import PromptTemplate
from pmind.training.batches import Collator, Sample
from pmind.training.checkpoints import Checkpoints, fingerprint_of
from pmind.training.objective import make_objective
from pmind.training.passages import Encode, Passage, cut_passages, encoder
from pmind.training.run import run_training
from pmind.training.samples import pretraining_sample
from pmind.training.start import (
    check_room,
    make_collator,
    make_reproducible,
    save_trained,
    start_model,
    trained_settings,
)
from pmind.training.validation import loss_by_branches, validation_documents
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
) -> None:
    """Pretrain the base model on the pipeline's texts; write OUT, METRICS and LOSS.

    Killed and repeated, it goes on from its last checkpoint.

    Example: python -m stages.pretrain data/tokenizer data/models/base metrics/pretrain.json metrics/loss.json
    """
    run, geometry = load_section(params, None, RunParams), load_section(params, None, GeometryParams)
    config = load_section(params, "pretrain", PretrainParams)
    make_reproducible(run.seed, run.threads)
    words = load_tokenizer(tokenizer)
    encode = encoder(words)
    settings = trained_settings(geometry, asdict(PromptTemplate()), (config.min_branches, config.max_branches))
    model = start_model(run.base_model, words, settings)
    check_room(model, 2 * config.max_branch_tokens + config.max_column_offset, "a context with a text beside it")
    train_texts, val_texts = (_passages(params, split, run.seed, encode, config) for split in ("train", "val"))

    collate = make_collator(settings.alignment, words)
    objective = make_objective(
        _draw(train_texts, encode, config), collate, name="pretrain", seed=run.seed, batch_size=config.batch_size
    )
    kept = Checkpoints(
        checkpoints,
        fingerprint_of(
            seed=run.seed,
            threads=run.threads,
            base_model=run.base_model,
            settings=settings,
            config=config,
            texts=train_texts,
            words=words.get_vocab(),
        ),
        config.checkpoint_every,
    )
    progress = run_training(model, settings, objective, config, kept)
    save_trained(out, model, words, settings)
    write_metrics(metrics, progress.metrics("pretrain") | {"pretrain.parameters": model.num_parameters()})
    write_metrics(loss, _validate(model, settings, val_texts, encode, collate, config, run.seed))
    kept.remove()
    typer.echo(progress.speed())


def _passages(params: Path, split: str, seed: int, encode: Encode, config: PretrainParams) -> list[Passage]:
    text = load_section(params, "text", TextParams)
    count = {"train": text.train_documents, "val": text.val_documents}[split]
    return cut_passages(read_documents(text.source, split, count, seed), encode, config.max_branch_tokens)


def _draw(passages: list[Passage], encode: Encode, config: PretrainParams) -> Callable[[random.Random], Sample]:
    return partial(
        pretraining_sample,
        passages,
        encode,
        min_branches=config.min_branches,
        max_branches=config.max_branches,
        max_tokens=config.max_branch_tokens,
        shared_context_share=config.shared_context_share,
        max_column_offset=config.max_column_offset,
    )


def _validate(
    model: PreTrainedModel,
    settings: Settings,
    passages: list[Passage],
    encode: Encode,
    collate: Collator,
    config: PretrainParams,
    seed: int,
) -> dict[str, float]:
    documents = validation_documents(passages, config.shared_context_share > 0, seed)
    rule = VISIBILITIES[settings.visibility]
    return loss_by_branches(model, documents, encode, collate, rule, config.max_branch_tokens)


if __name__ == "__main__":
    run_stage(main)
