"""Who answers in a contest: one local model and those trained from it, by every method that they can answer by."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
import transformers

from pmind.decoding.decoder import ParallelDecoder
from pmind.dependencies.encoder import load_encoder
from pmind.dependencies.selection import SelectionRules
from pmind.evaluation.answering import answer_questions
from pmind.evaluation.conditions import cpu_name
from pmind.evaluation.contest import Contestant
from pmind.evaluation.preparing import Prepared
from pmind.evaluation.suite import AskAll, Plan
from pmind.methods.catalog import COLLABORATIVE, TRAINED, check_known
from pmind.methods.collaborative import Collaboration
from pmind.models.adapters import weights_digest
from pmind.models.loading import resolve_folder
from pmind.params import TaskParams
from pmind.tasks.catalog import grouping_of
from pmind.training.checkpoints import folder_digest
from pmind.training.learnt import find_learnt


@dataclass(frozen=True)
class Collaborators:
    """How the methods that follow dependencies find them.

    Attributes:
        encoder: folder or Hub id; without one ``collab_bert`` is left out.
        min_confidence: least of a dependency.
        device: where the encoder runs.
    """

    encoder: str
    min_confidence: float
    device: str = "cpu"

    @cached_property
    def collaboration(self) -> Collaboration:
        """Rules, and the encoder, loaded once."""
        rules = SelectionRules(min_confidence=self.min_confidence)
        return Collaboration(rules, load_encoder(self.encoder, self.device) if self.encoder else None)

    def decisive(self, method: str) -> dict[str, Any]:
        """What decides the answers of a method, beside whoever answers."""
        if method not in COLLABORATIVE:
            return {}
        return asdict(self.collaboration.rules) | ({"encoder": self.encoder} if method == "collab_bert" else {})

    def contestant(
        self,
        method: str,
        asks: AskAll,
        name: str,
        settings: Mapping[str, Any],
        asked: TaskParams,
        prepared: Prepared,
        max_groups: int,
    ) -> Contestant:
        """Whoever ASKS, answering PREPARED by a method, told how to find dependencies."""
        ask = partial(
            asks,
            asking=prepared.asking,
            max_new_tokens=prepared.max_new_tokens,
            max_groups=max_groups,
            collaboration=self.collaboration,
        )
        decisive = {**settings, **self.decisive(method)}
        return Contestant(method, ask, Plan(name, asked.dataset, asked.source, decisive, prepared.max_new_tokens))

    def missing(self, method: str) -> str:
        """Why a method cannot be run, if so."""
        return (
            "it reads the questions with an encoder; name one" if method == "collab_bert" and not self.encoder else ""
        )


@dataclass(frozen=True)
class Loaded:
    """A local model.

    Attributes:
        name: how reports call it.
        decoder: the model.
        settings: what decides its answers.
    """

    name: str
    decoder: ParallelDecoder
    settings: dict[str, Any]


class LocalTeam:
    """A local model, and those that were trained from it.

    Args:
        model: folder or Hub id.
        dtype: of weights and cache.
        device: where torch puts it.
        threads: on a CPU; torch's choice where left out.
        checkpoints: a folder of models trained from it, for the methods that need one.
        collaborators: find dependencies.
    """

    def __init__(
        self,
        model: str,
        dtype: str,
        device: str,
        threads: int | None,
        checkpoints: Path | None,
        collaborators: Collaborators,
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        self._dtype, self._device = dtype, device
        self._own = self._load(model, Path(model).name)
        self.name, self.decoder = self._own.name, self._own.decoder
        self.texts = self.decoder.texts
        self._weights = weights_digest(resolve_folder(model))
        self._trained = list(find_learnt(checkpoints)) if checkpoints else []
        self._collaborators = collaborators

    def methods(self, wanted: Sequence[str], dataset: str) -> tuple[list[str], dict[str, str]]:
        """Those of WANTED that can be run on a dataset, and why the others cannot."""
        return sort_out(wanted, partial(self._missing, dataset=dataset))

    def contestant(self, method: str, asked: TaskParams, prepared: Prepared, max_groups: int) -> Contestant:
        """The model, or the one trained for it, answering by a method."""
        folder = self._checkpoint(method, asked.dataset)
        loaded = self._load(str(folder), f"{self.name}-{method}", grouping_of(asked)) if folder else self._own
        asks = partial(answer_questions, loaded.decoder)
        return self._collaborators.contestant(method, asks, loaded.name, loaded.settings, asked, prepared, max_groups)

    def conditions(self) -> dict[str, Any]:
        """Model, machine and versions."""
        return {
            "model": self.name,
            "dtype": self._dtype,
            "device": self._device,
            "visibility": self.decoder.settings.visibility,
            "threads": torch.get_num_threads(),
            "cpu": cpu_name(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
        }

    def _load(self, model: str, name: str, grouping: str | None = None) -> Loaded:
        decoder = ParallelDecoder.from_pretrained(model, dtype=self._dtype, device=self._device, grouping=grouping)
        weights = folder_digest(resolve_folder(model))
        settings = {"dtype": self._dtype, "device": self._device, "weights": weights, **vars(decoder.settings)}
        return Loaded(name, decoder, settings)

    def _checkpoint(self, method: str, dataset: str) -> Path | None:
        """The model that was trained from this one for a method, on a dataset."""
        fitting = [
            path
            for path, learnt in self._trained
            if (learnt.method, learnt.dataset, learnt.weights) == (method, dataset, self._weights)
        ]
        return fitting[0] if fitting else None

    def _missing(self, method: str, dataset: str) -> str:
        if method not in TRAINED or self._checkpoint(method, dataset):
            return self._collaborators.missing(method)
        others = [
            f"{path} is for {learnt.dataset} and from {learnt.base}"
            for path, learnt in self._trained
            if learnt.method == method
        ]
        found = f" ({'; '.join(others)})" if others else ""
        return f"no checkpoint was trained for it from {self.name} on {dataset}{found}"


def sort_out(wanted: Sequence[str], missing: Callable[[str], str]) -> tuple[list[str], dict[str, str]]:
    """Those of WANTED that nothing is MISSING for, and why the others cannot be run.

    Raises:
        DecodingError: no such method.
    """
    for method in wanted:
        check_known(method)
    reasons = {method: missing(method) for method in wanted}
    left_out = {method: reason for method, reason in reasons.items() if reason}
    return [method for method in wanted if method not in left_out], left_out
