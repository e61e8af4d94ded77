"""Which of the trained methods a model's folder is for: what learnt, from which base, on which questions.

::

    model.safetensors   config.json   pmind.json   …
    learnt.json         {"train": "crossbatch", "base": "stories260K", "weights": "9f2c…", "dataset": "squad", …}
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pmind.errors import ModelError

FILE = "learnt.json"
METHODS = {  # what answers by the model, by what learnt
    "baseline": "finetuned",
    "lora_lmhead": "lora_lmhead",
    "crossbatch": "collab_hidden",
    "lora_crossbatch": "lora_crossbatch",
}


@dataclass(frozen=True)
class Learnt:
    """What a model was trained with.

    Attributes:
        train: what learnt, a key of :data:`METHODS`.
        base: the model that training began with, as the user named it.
        weights: digest of its weights, see :func:`pmind.models.adapters.weights_digest`.
        dataset: whose questions it was trained on.
        grouping: how they came together.
    """

    train: str
    base: str
    weights: str
    dataset: str
    grouping: str

    @property
    def method(self) -> str:
        """Name of the method that the model answers by."""
        return METHODS[self.train]


def write_learnt(folder: Path, learnt: Learnt) -> None:
    """Say in a model's folder what it was trained with."""
    (folder / FILE).write_text(json.dumps(asdict(learnt), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def forget_learnt(folder: Path) -> None:
    """Delete what :func:`write_learnt` wrote, if anything."""
    (folder / FILE).unlink(missing_ok=True)


def find_learnt(folder: Path) -> Iterator[tuple[Path, Learnt]]:
    """Models in a folder or anywhere below it, with what they were trained with, in the order of their paths.

    Raises:
        ModelError: a file is not what :func:`write_learnt` writes.
    """
    for path in sorted(folder.rglob(FILE)):
        try:
            learnt = Learnt(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ModelError(f"{path}: does not say what learnt ({error}). Train the model again") from error
        if learnt.train not in METHODS:
            raise ModelError(f"{path}: train is {learnt.train!r}, none of {', '.join(METHODS)}. Train the model again")
        yield path.parent, learnt
