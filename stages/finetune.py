"""Fine-tune a pretrained model on question groups as branches."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from pmind.errors import DataError
from pmind.models.loading import load_model, load_tokenizer
from pmind.models.settings import Settings
from pmind.params import FinetuneParams, GeometryParams, RunParams, load_section
from pmind.stage import run_stage, write_metrics
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import QuestionGroup, read_groups
from pmind.training.checkpoints import Checkpoints, fingerprint_of, folder_digest
from pmind.training.objective import make_objective
from pmind.training.passages import encoder
from pmind.training.run import run_training
from pmind.training.samples import finetuning_sample, most_columns
from pmind.training.start import check_room, make_collator, make_reproducible, save_trained, trained_settings


def main(
    dataset: Annotated[str, typer.Argument(help="Name in metrics, e.g. squad.")],
    model: Annotated[Path, typer.Argument(help="Folder of the pretrained model, e.g. data/models/base.")],
    groups: Annotated[Path, typer.Argument(help="Folder with train.jsonl, e.g. data/groups/squad.")],
    out: Annotated[Path, typer.Argument(help="Folder of the model to write, e.g. data/models/squad.")],
    metrics: Annotated[Path, typer.Argument(help="File to write, e.g. metrics/finetune/squad.json.")],
    *,
    params: Annotated[Path, typer.Option(help="Parameters of the pipeline.")] = Path("params.yaml"),
    checkpoints: Annotated[Path, typer.Option(help="Folder of resumable checkpoints.")] = Path("data/checkpoints"),
) -> None:
    """Fine-tune MODEL on the answers of a dataset's training groups; write OUT and METRICS.

    Killed and repeated, it goes on from its last checkpoint.

    Example: python -m stages.finetune squad data/models/base data/groups/squad data/models/squad metrics/finetune.json
    """
    run, config = load_section(params, None, RunParams), load_section(params, "finetune", FinetuneParams)
    template = PromptTemplate()
    settings = trained_settings(load_section(params, None, GeometryParams), asdict(template), (1, run.branches))
    make_reproducible(run.seed, run.threads)
    network, _ = load_model(model, requested=_requested(settings))
    words = load_tokenizer(model)
    encode, collate = encoder(words), make_collator(settings.alignment, words)
    questions = _training_groups(groups)
    check_room(network, most_columns(questions, template, encode), f"the longest group of {groups}")

    draw = partial(finetuning_sample, questions, template, encode, max_branches=run.branches)
    objective = make_objective(draw, collate, name=f"finetune/{dataset}", seed=run.seed, batch_size=config.batch_size)
    kept = Checkpoints(
        checkpoints / dataset,
        fingerprint_of(
            run=run, settings=settings, config=config, groups=folder_digest(groups), model=folder_digest(model)
        ),
        config.checkpoint_every,
    )
    progress = run_training(network, settings, objective, config, kept)
    save_trained(out, network, words, settings)
    write_metrics(metrics, progress.metrics(f"{dataset}.finetune"))
    kept.remove()
    typer.echo(progress.speed())


def _requested(settings: Settings) -> dict[str, object]:
    """What the model must have been pretrained with; visibility first, as alignment follows from it."""
    own = ("prompt_template", "trained_branches")
    values = {name: value for name, value in asdict(settings).items() if name not in own}
    return {"visibility": settings.visibility} | values


def _training_groups(folder: Path) -> list[QuestionGroup]:
    groups = read_groups(folder / "train.jsonl")
    if not groups:
        raise DataError(f"{folder / 'train.jsonl'}: no groups. Keep more of them, see the counts in metrics/group")
    return groups


if __name__ == "__main__":
    run_stage(main)
