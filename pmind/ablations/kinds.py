"""Kinds of job: the pipeline's stages that make up each, and all that can change its result."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pmind

DATA = ("params.py", "models", "corpora", "tasks")
TRAINING = (*DATA, "geometry.py", "rope.py", "visibility.py", "training")
GEOMETRY = (
    "rope_2d_ratio", "branch_stride", "branch_encoding", "pair_placement", "pair_indices", "alignment", "visibility",
)  # fmt: skip
TUNED = (
    *("seed", "threads", *GEOMETRY, "branches", "training", "finetune", "crossbatch"),
    *("squad.dataset", "squad.grouping"),
)
VERSIONS = ("torch", "transformers", "tokenizers", "peft")


@dataclass(frozen=True)
class Kind:
    """Stages that run one after the other.

    Attributes:
        stages: modules of the folder ``stages``.
        reads: parameters; those of ``lora`` count only where an adapter is trained.
        code: files and folders of the package.
    """

    stages: tuple[str, ...]
    reads: tuple[str, ...]
    code: tuple[str, ...]


KINDS = {  # each needs jobs of earlier kinds only
    "tokenizer": Kind(("tokenizer",), ("seed", "base_model", "text", "squad", "cmb", "tokenizer"), DATA),
    "groups": Kind(("group",), ("seed", "squad"), DATA),
    "pretrain": Kind(
        ("pretrain",), ("seed", "threads", "base_model", *GEOMETRY, "text", "training", "pretrain"), TRAINING
    ),
    "first": Kind(("finetune",), TUNED, (*TRAINING, "native", "crossbatch", "decoding")),
    "answers": Kind(
        ("finetune", "decode"),
        (*TUNED, "decode", "evaluate"),
        (*TRAINING, "native", "crossbatch", "decoding", "dependencies", "methods", "evaluation"),
    ),
}


def code_digest(kind: Kind) -> str:
    """Changes with any code or version that could change a result of that kind of job."""
    digest = hashlib.sha256("".join(map(version, VERSIONS)).encode())
    package = Path(pmind.__file__).parent
    roots = [package / name for name in kind.code] + [package.parent / "stages" / f"{name}.py" for name in kind.stages]
    for root in roots:
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.suffix in (".py", ".cpp"):
                digest.update(path.read_bytes())
    return digest.hexdigest()
