"""``python -m pmind.harness.compare``: the harness's ``hf`` beside our model, on the same tasks."""

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pmind.errors import DataError
from pmind.harness import NOT_INSTALLED
from pmind.stage import run_stage

if TYPE_CHECKING:
    from lm_eval.api.model import TemplateLM
    from transformers import PreTrainedTokenizerFast

VERSIONS = ("lm_eval", "torch", "transformers", "pmind")
SEED = 1  # of a preset's random weights


def main(
    model: Annotated[str, typer.Option(help="Folder, Hub id, or a preset with random weights.")],
    tasks: Annotated[str, typer.Option(help="Tasks of the harness, separated by commas.")] = "",
    include_path: Annotated[Path | None, typer.Option(help="Folder with more tasks.")] = None,
    metadata: Annotated[str, typer.Option(help="JSON object handed to the tasks.")] = "{}",
    mmlu: Annotated[Path | None, typer.Option(help="Folder of MMLU's tables, with dev and test.")] = None,
    mmlu_subjects: Annotated[str, typer.Option(help="Separated by commas; all when left out.")] = "",
    ceval: Annotated[Path | None, typer.Option(help="Folder of C-Eval's tables, with dev and val.")] = None,
    ceval_subjects: Annotated[str, typer.Option(help="Separated by commas; all when left out.")] = "",
    num_fewshot: Annotated[int | None, typer.Option(min=0, help="Solved examples before a question.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Questions of each task.")] = None,
    branches: Annotated[int, typer.Option(min=1, help="Most questions that our model decodes together.")] = 8,
    batch_sizes: Annotated[str, typer.Option(help="Of hf, separated by commas.")] = "1,8",
    dtype: Annotated[str, typer.Option(help="Of the weights.")] = "float32",
    device: Annotated[str, typer.Option(help="cpu, cuda, …")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="Timed runs of each model, after one to warm up.")] = 3,
    tokenizer: Annotated[Path | None, typer.Option(help="tokenizer.json; presets need one.")] = None,
    tolerance: Annotated[float, typer.Option(min=0, help="Largest difference of equal log-likelihoods.")] = 1e-4,
    out: Annotated[Path | None, typer.Option(help="Keep the JSON here, too.")] = None,
) -> None:
    """Print scores, differences and times as JSON; exit with 1 where the scores are not equal.

    Example: python -m pmind.harness.compare --model minimind-26m --tokenizer tokenizer.json --mmlu data/mmlu --limit 8
    """
    import torch

    try:
        from lm_eval.tasks import TaskManager
    except ModuleNotFoundError as error:
        raise DataError(f"{NOT_INSTALLED} ({error})") from error

    from pmind.harness.comparison import compare
    from pmind.harness.exams import exam_group

    exams = {"mmlu": (mmlu, mmlu_subjects), "ceval": (ceval, ceval_subjects)}
    specs: list[Any] = [*_words(tasks)]
    specs += [exam_group(name, folder, _words(subjects)) for name, (folder, subjects) in exams.items() if folder]
    if not specs:
        raise DataError("nothing to compare: name --tasks, or a folder of exams with --mmlu or --ceval")
    manager = TaskManager(include_path=include_path, metadata=_json(metadata))
    torch.set_num_threads(threads)
    how = {"dtype": dtype, "device": device}
    asked = {"num_fewshot": num_fewshot, "limit": limit}
    with _models(model, tokenizer, _sizes(batch_sizes), branches, how) as models:
        compared = compare(models, specs, manager, repeats=repeats, tolerance=tolerance, **asked)
    versions = {name: version(name) for name in VERSIONS}
    conditions = {"model": model, "branches": branches, "threads": threads, **how, **asked, "versions": versions}
    conditions |= {"processor": platform.processor() or platform.machine(), "tolerance": tolerance}
    text = json.dumps({**compared, "conditions": conditions}, indent=1, ensure_ascii=False)
    print(text)
    if out:
        out.write_text(text + "\n", encoding="utf-8")
    if not compared["equal"]:
        raise typer.Exit(1)


@contextmanager
def _models(
    model: str, tokenizer: Path | None, batch_sizes: list[int], branches: int, how: dict[str, str]
) -> Iterator[dict[str, "TemplateLM"]]:
    """``hf`` with each of BATCH_SIZES, and ours."""
    from lm_eval.models.huggingface import HFLM

    from pmind.benchmark.models import model_folder
    from pmind.harness.model import PmindLM

    with model_folder(model, how["dtype"], SEED) as folder:
        options = how | ({"tokenizer": read_tokenizer(tokenizer)} if tokenizer else {})
        hf = {f"hf, batches of {size}": HFLM(str(folder), batch_size=size, **options) for size in batch_sizes}
        yield hf | {"pmind": PmindLM(str(folder), branches=branches, **options)}


def read_tokenizer(path: Path) -> "PreTrainedTokenizerFast":
    """The tokenizer of a file; its first special token ends texts, and pads.

    Raises:
        DataError: it is no such file, or has no special token.
    """
    from transformers import PreTrainedTokenizerFast

    try:
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(path))
    except Exception as error:  # the tokenizers library raises nothing more special
        raise DataError(f"{path}: not a tokenizer.json ({error})") from error
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    if not special:
        raise DataError(f"{path}: has no special token to end texts with")
    tokenizer.eos_token = tokenizer.pad_token = special[0]
    return tokenizer


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _sizes(text: str) -> list[int]:
    try:
        return [int(word) for word in _words(text)]
    except ValueError as error:
        raise DataError(f"--batch-sizes takes numbers separated by commas, such as 1,8; not {text!r}") from error


def _json(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise DataError(f'--metadata takes a JSON object, such as \'{{"cmb": "data/CMB"}}\'; not {text!r}') from error


if __name__ == "__main__":
    run_stage(main)
