"""The pipeline's stages that make up a job, and the numbers they leave."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pmind.ablations.jobs import Job
from pmind.evaluation.rows import read_rows
from pmind.evaluation.summary import summarise
from pmind.tasks.records import read_groups

METHODS = ("parallel", "sequential")
DATASET = "squad"  # section of the params file whose questions are answered

Numbers = dict[str, float]
Command = tuple[str, list[Path | str]]  # stage, arguments


def commands(job: Job, work: Path) -> list[tuple[str, list[str]]]:
    """The stages of a job, in order, with their arguments; the params file aside.

    Args:
        job: what to run.
        work: folder of all jobs' folders.
    """
    needs = {kind: work / needed.folder for kind, needed in job.needs.items()}
    return [(stage, list(map(str, arguments))) for stage, arguments in _STAGES[job.kind](work / job.folder, needs)]


def gather(job: Job, work: Path) -> Numbers:
    """The numbers of a job whose stages have run: losses, counts, scores with their intervals."""
    own = work / job.folder
    numbers: Numbers = {}
    for name in ("pretrain", "loss", "finetune"):
        path = own / f"{name}.json"
        numbers |= json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if job.kind == "answers":
        groups = work / job.needs["groups"].folder / DATASET
        answers = {method: read_rows(_answers(own, method)) for method in METHODS}
        test, train = (read_groups(groups / f"{split}.jsonl") for split in ("test", "train"))
        numbers |= summarise(DATASET, answers, test, train, job.document["evaluate"]["confidence"])
    return numbers


def _tokenizer(own: Path, needs: Mapping[str, Path]) -> Sequence[Command]:
    return [("tokenizer", [own / "tokenizer"])]


def _groups(own: Path, needs: Mapping[str, Path]) -> Sequence[Command]:
    return [("group", [DATASET, needs["tokenizer"] / "tokenizer", own / DATASET, own / "groups.json"])]


def _pretrain(own: Path, needs: Mapping[str, Path]) -> Sequence[Command]:
    written = [own / "model", own / "pretrain.json", own / "loss.json"]
    return [("pretrain", [needs["tokenizer"] / "tokenizer", *written, *_kept(own)])]


def _answer(own: Path, needs: Mapping[str, Path]) -> Sequence[Command]:
    model, groups = own / "model", needs["groups"] / DATASET
    tune = [DATASET, needs["pretrain"] / "model", groups, model, own / "finetune.json", *_kept(own)]
    ask = [("decode", [DATASET, method, model, groups / "test.jsonl", _answers(own, method)]) for method in METHODS]
    return [("finetune", tune), *ask]


def _kept(own: Path) -> list[Path | str]:
    return ["--checkpoints", own / "checkpoints", "--curves", own / "curves"]


def _answers(own: Path, method: str) -> Path:
    return own / f"{method}.parquet"


_STAGES: Mapping[str, Callable[[Path, Mapping[str, Path]], Sequence[Command]]] = {
    "tokenizer": _tokenizer,
    "groups": _groups,
    "pretrain": _pretrain,
    "answers": _answer,
}
