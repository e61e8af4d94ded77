"""Who else answers in a contest: a model behind a server, or in an engine of somebody else's in this process."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from pmind.decoding.texts import Texts
from pmind.evaluation.answering import Answered, answer_remotely
from pmind.evaluation.conditions import cpu_name
from pmind.evaluation.contest import Contestant
from pmind.evaluation.preparing import Prepared
from pmind.evaluation.teams import Collaborators, sort_out
from pmind.methods.catalog import REMOTE
from pmind.methods.rounds import Engine
from pmind.methods.vllm import open_engine
from pmind.models.loading import resolve_folder
from pmind.params import TaskParams
from pmind.remote.engine import ApiEngine
from pmind.remote.usage import Prices
from pmind.training.checkpoints import folder_digest


class EngineTeam:
    """A model that somebody else's engine runs: a server's, or one in this process.

    Args:
        name: how reports call the model.
        engine: answers.
        settings: what decides its answers.
        where: the engine runs, in words.
        collaborators: find dependencies.
        conditions: tells, at the end, what its numbers depend on.
        texts: of the model, where they are known.
        begin: called before each method.
    """

    def __init__(
        self,
        name: str,
        engine: Engine,
        settings: Mapping[str, Any],
        where: str,
        collaborators: Collaborators,
        *,
        conditions: Callable[[], dict[str, Any]],
        texts: Texts | None = None,
        begin: Callable[[], object] = lambda: None,
    ) -> None:
        self.name, self.texts, self.conditions = name, texts, conditions
        self._engine, self._settings, self._where = engine, settings, where
        self._collaborators, self._begin = collaborators, begin

    def methods(self, wanted: Sequence[str], dataset: str) -> tuple[list[str], dict[str, str]]:
        """Those of WANTED that can be run on a dataset, whichever it is, and why the others cannot."""
        return sort_out(wanted, self._missing)

    def contestant(self, method: str, asked: TaskParams, prepared: Prepared, max_groups: int) -> Contestant:
        """The engine answering by a method."""
        return self._collaborators.contestant(method, self._ask, self.name, self._settings, asked, prepared, max_groups)

    def _ask(self, *arguments: Any, **options: Any) -> Answered:
        self._begin()
        return answer_remotely(self._engine, *arguments, **options)

    def _missing(self, method: str) -> str:
        reason = "" if method in REMOTE else f"it needs our own decoder, not {self._where}"
        return reason or self._collaborators.missing(method)


def remote_team(
    url: str,
    model: str,
    cache: Path,
    chat: bool,
    workers: int,
    prices: Prices | None,
    collaborators: Collaborators,
) -> EngineTeam:
    """A model behind a server.

    Args:
        url: of the API.
        model: its name there.
        cache: file of the replies.
        chat: chat completions instead of text completions.
        workers: most requests under way at once.
        prices: of its tokens, where they are known.
        collaborators: find dependencies.
    """
    engine = ApiEngine(url, model, cache, chat=chat, workers=workers, prices=prices, allow_empty=True)
    settings = {"url": url, "model": model, "chat": chat}
    name = Path(model).name or "server"
    return EngineTeam(
        name, engine, settings, "a server", collaborators, conditions=lambda: settings | engine.usage.summary()
    )


def vllm_team(
    model: str, dtype: str, device: str, threads: int | None, most: int, collaborators: Collaborators
) -> EngineTeam:
    """A local model in vLLM.

    Args:
        model: folder or Hub id.
        dtype: of weights and cache.
        device: ``cpu`` or ``cuda``.
        threads: on a CPU; torch's choice where left out.
        most: prompts under way at a time.
        collaborators: find dependencies.

    Raises:
        ModelError: the package is missing, or the model cannot be run in it.
    """
    folder, threads = resolve_folder(model), threads or torch.get_num_threads()
    engine = open_engine(folder, dtype=dtype, device=device, threads=threads, most=most)
    name = f"{Path(model).name}-vllm"  # its answers lie beside those of our own decoder
    ran = {"model": name, "vllm": engine.version, "dtype": dtype, "device": device}
    return EngineTeam(
        name,
        engine,
        ran | {"weights": folder_digest(folder)},
        "vllm",
        collaborators,
        conditions=lambda: ran | {"threads": threads, "cpu": cpu_name(), "torch": torch.__version__},
        texts=engine.texts,
        begin=engine.forget,
    )
