"""A sweep's cells as jobs: which stages run under which parameters, each different one once.

::

    tokenizer ─ groups ──────┐          a seed's tokenizer and groups serve all of its cells
        └────── pretrain ─ answers
                     └ first ┘          where a fine-tuning comes before the cell's own

A job's name is a digest of all that decides its result, so that equal jobs of two cells, or of two
sweeps, are one, and a job that an earlier run finished is not run again.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pmind.ablations.kinds import KINDS
from pmind.ablations.sweeps import Cell, Setting, Times, Value
from pmind.errors import ParamsError
from pmind.evaluation.conditions import cpu_name

Document = Mapping[str, Any]  # all of a params file

GROUPING = "squad.grouping"  # brings the same texts together in another way
SEEDED = ("seed", "base_model", "tokenizer", "squad", "cmb")  # what a cell may change of its seed's data


@dataclass(frozen=True)
class Job:
    """Stages that belong together, and the jobs whose results they read.

    Attributes:
        kind: one of :data:`pmind.ablations.kinds.KINDS`.
        label: of the first cell that asked for it, for messages.
        document: of its params file.
        needs: jobs to be done before, by kind.
        digest: of all that decides the result.
        methods: in which the test questions are answered.
    """

    kind: str
    label: str = field(compare=False)
    document: Document = field(compare=False, repr=False)
    needs: Mapping[str, "Job"] = field(compare=False, repr=False)
    digest: str
    methods: tuple[str, ...] = field(default=(), compare=False)

    @property
    def folder(self) -> str:
        """Name of the folder that holds its files."""
        return f"{self.kind}-{self.digest}"


def overridden(document: Document, setting: Setting) -> dict[str, Any]:
    """A params document with other values for some dotted keys.

    Raises:
        ParamsError: a key that the document does not have.

    Example:
        >>> overridden({"pretrain": {"steps": 9}, "seed": 1}, {"pretrain.steps": Times(0.5), "seed": 2})
        {'pretrain': {'steps': 4}, 'seed': 2}
    """
    changed = deepcopy(dict(document))
    for key, value in setting.items():
        *sections, name = key.split(".")
        place = changed
        for section in sections:
            place = place.get(section, {})
        if name not in place:
            raise ParamsError(f"params.yaml: no key '{key}', which an ablation sets. Add it")
        place[name] = _multiplied(_find(document, value.of or key), value) if isinstance(value, Times) else value
    return changed


def plain_setting(document: Document, setting: Setting) -> dict[str, Value]:
    """A cell's setting with the numbers that multiples come to."""
    changed = overridden(document, setting)
    return {key: _find(changed, key) for key in setting}


def cell_jobs(
    document: Document, cell: Cell, seed: int, code: Mapping[str, str], methods: Sequence[str] = ()
) -> dict[str, Job]:
    """The jobs of one cell and seed, by kind; the groups of an earlier fine-tuning are ``first groups``.

    Args:
        document: params with the preset's values in place.
        cell: what differs.
        seed: of every random choice.
        code: digest of code and versions by kind of job.
        methods: fine-tune, too, and answer in these ways; without any, pretrain only.
    """
    label = f"{cell.label}, seed {seed}"
    seeded = overridden(document, {"seed": seed})
    of_data = {key: value for key, value in cell.setting.items() if key.split(".")[0] in SEEDED and key != GROUPING}
    jobs = {"tokenizer": _job("tokenizer", label, overridden(seeded, of_data), {}, code)}
    trained = overridden(seeded, {**cell.setting, **cell.before})
    jobs["pretrain"] = _job("pretrain", label, trained, _pick(jobs, "tokenizer"), code)
    if not methods:
        return jobs
    tuned = overridden(seeded, cell.setting)
    jobs["groups"] = _job("groups", label, tuned, _pick(jobs, "tokenizer"), code)
    start = "pretrain"
    if cell.first is not None:
        start, earlier = "first", overridden(tuned, cell.first)
        jobs["first groups"] = _job("groups", label, earlier, _pick(jobs, "tokenizer"), code)
        needs = {"pretrain": jobs["pretrain"], "groups": jobs["first groups"]}
        jobs["first"] = _job("first", label, earlier, needs, code)
    jobs["answers"] = _job("answers", label, tuned, _pick(jobs, start, "groups"), code, tuple(methods))
    return jobs


def in_waves(jobs: Iterable[Job]) -> list[list[Job]]:
    """All different jobs, kind after kind, as each needs only jobs of earlier kinds."""
    different = list(dict.fromkeys(jobs))
    waves = ([job for job in different if job.kind == kind] for kind in KINDS)
    return [wave for wave in waves if wave]


def _job(
    kind: str,
    label: str,
    document: Document,
    needs: Mapping[str, Job],
    code: Mapping[str, str],
    methods: tuple[str, ...] = (),
) -> Job:
    read = {key: _find(document, key) for key in KINDS[kind].reads}
    if _adapts(kind, document):
        read["lora"] = document["lora"]
    decisive = [kind, code[kind], read, methods, _files(read), processor(), [job.digest for job in needs.values()]]
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]
    return Job(kind, label, document, needs, digest, methods)


def _adapts(kind: str, document: Document) -> bool:
    """Whether a job trains a low-rank adapter."""
    stage = {"first": "finetune", "answers": "finetune"}.get(kind, kind)
    beside_head = stage == "finetune" and document["crossbatch"]["train"].startswith("lora")
    return beside_head or document.get(stage, {}).get("adapter") == "lora"


def processor() -> str:
    """What trains: its numbers differ from those of another."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else cpu_name()


def _files(read: Any) -> list[list[Any]]:
    """Path, size and time of change of every file that parameters name."""
    if isinstance(read, Mapping):
        return [found for value in read.values() for found in _files(value)]
    path = Path(read) if isinstance(read, str) and read else None
    if path is None or not path.exists():
        return []
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def _pick(jobs: Mapping[str, Job], *kinds: str) -> dict[str, Job]:
    return {kind: jobs[kind] for kind in kinds}


def _find(document: Document, key: str) -> Any:
    value = document
    for name in key.split("."):
        value = value[name]
    return value


def _multiplied(usual: int | float, value: Times) -> int | float:
    product = usual * value.factor
    return max(1, int(product)) if isinstance(usual, int) else product
