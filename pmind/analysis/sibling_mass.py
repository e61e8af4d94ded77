"""How much attention the branches of a group spend on each other."""

import torch
from torch import Tensor
from transformers import PreTrainedModel

from pmind.analysis.finished import FinishedGroup
from pmind.analysis.roles import Readers, find_readers
from pmind.analysis.weights import read_weights
from pmind.models.settings import Settings
from pmind.visibility import VISIBILITIES


def sibling_mass(model: PreTrainedModel, settings: Settings, group: FinishedGroup, stop_id: int | None) -> Tensor:
    """Attention between the branches of one group.

    Args:
        model: wired with ``settings``.
        settings: alignment and visibility.
        group: with its answers.
        stop_id: follows every answer; ``None`` for nothing.

    Returns:
        ``[N, N]`` float64: of the row's branch on the column's, a mean over layers, heads and the tokens of the row's
        branch that predict its answer. The rest of a row's 1 is on the context.

    Raises:
        ModelError: the model has a cross-batch module.
    """
    layout = group.layout(settings.alignment)
    mass = _Mass(group.numbers, find_readers(layout, VISIBILITIES[settings.visibility], stop_id))
    read_weights(model, settings, layout, mass.read)
    return mass.mean()


class _Mass:
    def __init__(self, numbers: tuple[int, ...], readers: Readers) -> None:
        wanted = torch.tensor(numbers)
        self._places = readers.places
        self._mine = (readers.branch[:, None] == wanted).double()  # [Q, N]
        self._theirs = (readers.layout.branch[:, None] == wanted).double()  # [T, N]
        self._sum, self._layers = torch.zeros(len(numbers), len(numbers), dtype=torch.float64), 0

    def read(self, layer: int, weights: Tensor) -> None:
        rows = weights.cpu()[:, self._places].double().mean(0)  # [Q, T]
        self._sum += self._mine.T @ rows @ self._theirs
        self._layers += 1

    def mean(self) -> Tensor:
        readers = self._mine.sum(0).clamp(min=1)
        return self._sum / readers[:, None] / self._layers
