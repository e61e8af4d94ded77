"""The pipeline's stages that make up a job, and the numbers they leave."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pmind.ablations.jobs import Job
from pmind.evaluation.rows import read_rows
from pmind.evaluation.summary import by_category, summarise
from pmind.tasks.records import read_groups

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
    own = work / job.folder
    found = _answer(own, needs, job.methods) if job.methods else _STAGES[job.kind](own, needs)
    return [(stage, list(map(str, arguments))) for stage, arguments in found]


def gather(job: Job, work: Path) -> Numbers:
    """The numbers of a job whose stages have run: losses, counts, scores with their intervals."""
    own = work / job.folder
    numbers: Numbers = {}
    for name in ("pretrain", "loss", "finetune"):
        path = own / f"{name}.json"
        numbers |= json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if job.kind == "answers":
        groups = work / job.needs["groups"].folder / DATASET
        answers = {method: read_rows(_answers(own, method)) for method in job.methods}
        test, train = (read_groups(groups / f"{split}.jsonl") for split in ("test", "train"))
        confidence = job.document["evaluate"]["confidence"]
        numbers |= summarise(DATASET, answers, test, train, confidence) | by_category(DATASET, answers)
    return numbers


def _tokenizer(own: Path, needs: Mapping[str, Path]) -> Sequence[Command]:
    return [("tokenizer", [own / "tokenizer"])]


def _groups(own: Path, needs: Mapping[str, Path]) -> Sequence[Command]:
    return [("group", [DATASET, needs["tokenizer"] / "tokenizer", own / DATASET, own / "groups.json"])]


def _pretrain(own: Path, needs: Mapping[str, Path]) -> Sequence[Command]:
    written = [own / "model", own / "pretrain.json", own / "loss.json"]
    return [("pretrain", [needs["tokenizer"] / "tokenizer", *written, *_kept(own)])]


def _finetune(own: Path, needs: Mapping[str, Path]) -> Sequence[Command]:
    start = needs.get("first") or needs["pretrain"]
    written = [own / "model", own / "finetune.json"]
    return [("finetune", [DATASET, start / "model", needs["groups"] / DATASET, *written, *_kept(own)])]


def _answer(own: Path, needs: Mapping[str, Path], methods: Sequence[str]) -> Sequence[Command]:
    asked = needs["groups"] / DATASET / "test.jsonl"
    ask = [("decode", [DATASET, method, own / "model", asked, _answers(own, method)]) for method in methods]
    return [*_finetune(own, needs), *ask]


def _kept(own: Path) -> list[Path | str]:
    return ["--checkpoints", own / "checkpoints", "--curves", own / "curves"]


def _answers(own: Path, method: str) -> Path:
    return own / f"{method}.parquet"


_STAGES: Mapping[str, Callable[[Path, Mapping[str, Path]], Sequence[Command]]] = {
    "tokenizer": _tokenizer,
    "groups": _groups,
    "pretrain": _pretrain,
    "first": _finetune,
}
