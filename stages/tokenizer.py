"""Train the pipeline's tokenizer, or take the base model's own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from pmind.corpora.text import read_documents
from pmind.corpora.titles import article_titles
from pmind.corpora.tokenizer import train_tokenizer
from pmind.models.loading import load_tokenizer
from pmind.models.presets import PRESETS
from pmind.params import RunParams, TaskParams, TextParams, TokenizerParams, load_section
from pmind.stage import run_stage
from pmind.tasks.loading import load_task
from pmind.tasks.prompts import PromptTemplate, render_group

DATASETS = ("squad", "cmb")


def main(
    out: Annotated[Path, typer.Argument(help="Folder to write, e.g. data/tokenizer.")],
    *,
    params: Annotated[Path, typer.Option(help="Parameters of the pipeline.")] = Path("params.yaml"),
) -> None:
    """Write the tokenizer of the base model to OUT; for a preset, train one on the training data.

    Example: python -m stages.tokenizer data/tokenizer
    """
    run = load_section(params, None, RunParams)
    if run.base_model in PRESETS:
        config = load_section(params, "tokenizer", TokenizerParams)
        tokenizer = train_tokenizer(_training_texts(params, run.seed), config.vocab_size)
    else:
        tokenizer = load_tokenizer(run.base_model)
    tokenizer.save_pretrained(out)


def _training_texts(params: Path, seed: int) -> Iterator[str]:
    text = load_section(params, "text", TextParams)
    without = article_titles(text.without)
    corpus = read_documents(text.source, "train", text.train_documents, seed, without)
    yield from map("".join, corpus.documents)
    for name in DATASETS:
        task = load_section(params, name, TaskParams)
        for group in load_task(task, seed).train:
            yield from render_group(group, PromptTemplate())


if __name__ == "__main__":
    run_stage(main)
