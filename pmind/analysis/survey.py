"""What every head reads over many groups, summed up a layer at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedModel

from pmind.analysis.finished import FinishedGroup
from pmind.analysis.roles import (
    ROLES,
    Readers,
    entropy,
    even_shares,
    find_readers,
    retrieval,
    role_shares,
    selectivity,
)
from pmind.analysis.weights import read_weights
from pmind.errors import DataError
from pmind.models.settings import Settings
from pmind.visibility import VISIBILITIES

COLUMN_BINS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 24, 32, 48, 64, 96, 128)  # first of each, the last is open
FARTHEST = 7  # branches to either side of the maps; those beyond count as the last
MAP_ROWS = 2 * FARTHEST + 2  # context, then a row a branch offset
Fact = dict[str, Tensor]


@dataclass
class _Sums:
    """Sums of one layer over readers; each tensor's first axis is H."""

    sums: Fact = field(default_factory=dict)

    def add(self, **more: Tensor) -> None:
        for name, value in more.items():
            self.sums[name] = self.sums.get(name, 0) + value


@dataclass(frozen=True)
class Survey:
    """Means over all readers of all groups.

    Attributes:
        shares: ``[L, H, R]`` attention by role, see :data:`pmind.analysis.roles.ROLES`.
        even: ``[R]`` the same of a head that reads all it may alike.
        retrieval: ``[L, H]`` share of the tokens copied from the context that a head looks at.
        entropy: ``[L, H]`` nats.
        time: ``[L, H]`` column selectivity, 0 … 1.
        branch: ``[L, H]`` branch selectivity, 0 … 1.
        maps: ``[L, H, rows, columns]`` attention by branch offset (the first row is the context) and
            columns back, in the bins of :data:`COLUMN_BINS`; sums to 1.
        readers: how many tokens were looked at.
        copied: how many of them predict a token that the context holds.
    """

    shares: Tensor
    even: Tensor
    retrieval: Tensor
    entropy: Tensor
    time: Tensor
    branch: Tensor
    maps: Tensor
    readers: int
    copied: int


def survey_heads(
    model: PreTrainedModel, settings: Settings, groups: Sequence[FinishedGroup], stop_id: int | None
) -> Survey:
    """Read GROUPS, one pass each, and sum up what the tokens that predict answers read.

    Args:
        model: wired with ``settings``.
        settings: alignment and visibility.
        groups: with their answers.
        stop_id: follows every answer; ``None`` for nothing.

    Raises:
        DataError: no group, or no answer in any.
        ModelError: the model has a cross-batch module.
    """
    layers = [_Sums() for _ in range(model.config.num_hidden_layers)]
    even, count, copied = torch.zeros(len(ROLES), dtype=torch.float64), 0, 0
    for group in groups:
        layout = group.layout(settings.alignment)
        readers = find_readers(layout, VISIBILITIES[settings.visibility], stop_id)
        summing = _LayerSums(layers, readers)
        read_weights(model, settings, layout, summing.read)
        even += even_shares(readers).sum(0)
        count, copied = count + len(readers.places), copied + summing.copied
    if not count:
        raise DataError("no answers to look at; give groups whose questions have accepted answers")
    return _survey([layer.sums for layer in layers], even / count, count, copied)


class _LayerSums:
    """Adds a group's weights to the sums, a layer at a time."""

    def __init__(self, layers: Sequence[_Sums], readers: Readers) -> None:
        self._layers, self._readers = layers, readers
        self._cells = _map_cells(readers)
        self.copied = 0

    def read(self, layer: int, weights: Tensor) -> None:
        """See :data:`pmind.analysis.weights.ReadLayer`."""
        readers = self._readers
        rows = weights.cpu()[:, readers.places]  # [H, Q, T]
        hits, known = retrieval(rows, readers)
        by_column, by_branch, beside = selectivity(rows, readers)
        self.copied = int(known.sum())
        self._layers[layer].add(
            shares=role_shares(rows, readers).double().sum(1),
            hits=(hits & known).sum(1).double(),
            entropy=entropy(rows).double().sum(1),
            time=(by_column * beside).sum(1),
            branch=(by_branch * beside).sum(1),
            beside=beside.sum(1),
            maps=_binned(rows, self._cells),
        )


def _map_cells(readers: Readers) -> Tensor:
    """``[Q, T]`` cell of the map that a key falls in; what is not visible has weight 0 wherever it falls."""
    bins = torch.bucketize(readers.columns_back.clamp(min=0), torch.tensor(COLUMN_BINS), right=True) - 1
    row = readers.branches_off.clamp(-FARTHEST, FARTHEST) + FARTHEST + 1
    row = torch.where(readers.layout.branch[None] == 0, 0, row)
    return row * len(COLUMN_BINS) + bins


def _binned(rows: Tensor, cells: Tensor) -> Tensor:
    """``[H, rows, columns]`` from ``[H, Q, T]`` weights."""
    flat = rows.double().flatten(1)  # [H, Q·T]
    summed = flat.new_zeros(len(flat), MAP_ROWS * len(COLUMN_BINS)).index_add_(1, cells.flatten(), flat)
    return summed.view(len(flat), MAP_ROWS, len(COLUMN_BINS))


def _survey(layers: Sequence[Fact], even: Tensor, count: int, copied: int) -> Survey:
    sums = {name: torch.stack([layer[name] for layer in layers]) for name in layers[0]}
    beside = sums["beside"].clamp(min=torch.finfo(torch.float64).tiny)
    return Survey(
        shares=sums["shares"] / count,
        even=even,
        retrieval=sums["hits"] / max(copied, 1),
        entropy=sums["entropy"] / count,
        time=sums["time"] / beside,  # each reader counts by what it reads beside the context
        branch=sums["branch"] / beside,
        maps=sums["maps"] / count,
        readers=count,
        copied=copied,
    )
