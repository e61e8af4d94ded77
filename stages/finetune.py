"""Fine-tune a pretrained model on question groups as branches."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pmind.crossbatch.hook import attached, mixing
from pmind.errors import DataError
from pmind.models.adapters import weights_digest
from pmind.models.loading import load_tokenizer, resolve_folder
from pmind.params import (
    CrossBatchParams,
    FinetuneParams,
    GeometryParams,
    LoraParams,
    RunParams,
    TaskParams,
    TrainingParams,
    load_section,
)
from pmind.stage import run_stage, write_metrics
from pmind.tasks.catalog import grouping_of
from pmind.tasks.chat import chat_template_for
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import QuestionGroup, read_groups
from pmind.training.checkpoints import Checkpoints, fingerprint_of, folder_digest
from pmind.training.crossbatch import choose_learners, save_learnt
from pmind.training.distributed import join_training
from pmind.training.finetuning import annealing, answers_of, finetuning_loss, start_student
from pmind.training.history import History
from pmind.training.learnt import Learnt
from pmind.training.memory import keep_freed_memory
from pmind.training.objective import make_objective
from pmind.training.passages import encoder
from pmind.training.questions import QuestionSteps, group_samples, most_columns
from pmind.training.run import run_training
from pmind.training.start import check_room, make_collator, make_reproducible, trained_settings


def main(
    dataset: Annotated[str, typer.Argument(help="Name in metrics, e.g. squad.")],
    model: Annotated[Path, typer.Argument(help="Folder or Hub id of the pretrained model, e.g. data/models/base.")],
    groups: Annotated[Path, typer.Argument(help="Folder with train.jsonl, e.g. data/groups/squad.")],
    out: Annotated[Path, typer.Argument(help="Folder of the model to write, e.g. data/models/squad.")],
    metrics: Annotated[Path, typer.Argument(help="File to write, e.g. metrics/finetune/squad.json.")],
    *,
    params: Annotated[Path, typer.Option(help="Parameters of the pipeline.")] = Path("params.yaml"),
    checkpoints: Annotated[Path, typer.Option(help="Folder of resumable checkpoints.")] = Path("data/checkpoints"),
    curves: Annotated[Path, typer.Option(help="Folder of the live plots.")] = Path("data/curves"),
) -> None:
    """Fine-tune MODEL on the answers of a dataset's training groups; write OUT and METRICS.

    Killed and repeated, it goes on from its last checkpoint.

    Example: python -m stages.finetune squad data/models/base data/groups/squad data/models/squad metrics/finetune.json
    """
    run, config = load_section(params, None, RunParams), load_section(params, "finetune", FinetuneParams)
    training, lora = load_section(params, "training", TrainingParams), load_section(params, "lora", LoraParams)
    crossbatch = load_section(params, "crossbatch", CrossBatchParams)
    processes = join_training()
    keep_freed_memory()
    make_reproducible(run.seed, run.threads)
    words, questions = load_tokenizer(model), _training_groups(groups)
    template = chat_template_for(words, questions) if config.chat_template else PromptTemplate()
    settings = trained_settings(load_section(params, None, GeometryParams), asdict(template), (1, run.branches))
    samples = group_samples(questions, template, encoder(words))
    history = History(questions, template, encoder(words), config.history_share)
    own = answers_of(model, samples, config.own_answer_tokens) if config.targets == "own" else None
    samples = own.samples if own else samples
    network, collate = start_student(model, settings, config, lora), make_collator(settings.alignment, words)
    learnt = None
    if crossbatch.train != "none":
        network = choose_learners(network, model, crossbatch, lora)
        task = load_section(params, dataset, TaskParams)
        weights = weights_digest(resolve_folder(model))
        learnt = Learnt(crossbatch.train, str(model), weights, task.dataset, grouping_of(task))
    check_room(network, len(collate.opening) + most_columns(history.longest(samples)), f"the longest group of {groups}")
    kept = Checkpoints(
        checkpoints / dataset,
        fingerprint_of(
            run=run, settings=settings, config=config, training=training, lora=lora, own=own and own.samples,
            crossbatch=crossbatch,
            groups=folder_digest(groups), model=folder_digest(resolve_folder(model)),
        ),
        config.checkpoint_every,
    )  # fmt: skip
    steps = QuestionSteps(samples, config.batch_size, run.branches, run.seed, history)
    with mixing(network):
        progress = run_training(
            network,
            settings,
            make_objective(steps, collate, training, name=f"finetune/{dataset}", seed=run.seed),
            config,
            training,
            kept,
            curves=curves / dataset,
            loss=finetuning_loss(model, settings, config, training, mixes=attached(network) is not None),
            before_step=annealing(network, model, config),
        )
    if processes.is_main_process:
        prefix = f"{dataset}.finetune"
        losses = progress.metrics(prefix, "objective" if config.distillation else "loss")  # a mix is no cross-entropy
        write_metrics(metrics, losses | (own.metrics(prefix) if own else {}))
        save_learnt(out, network, words, settings, learnt)
        kept.remove()
        typer.echo(progress.speed())
    processes.wait_for_everyone()


def _training_groups(folder: Path) -> list[QuestionGroup]:
    groups = read_groups(folder / "train.jsonl")
    if not groups:
        raise DataError(f"{folder / 'train.jsonl'}: no groups. Keep more of them, see the counts in metrics/group")
    return groups


if __name__ == "__main__":
    run_stage(main)
