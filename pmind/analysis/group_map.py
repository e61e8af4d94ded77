"""The whole attention of one group, pooled to a size that can be looked at, in branch order.

Flat order is by column, which scatters a branch. Here tokens stand by branch, each branch in one
piece, and neighbours of one branch share a cell where there are too many tokens::

            context  branch 1  branch 2
    context    x
    branch 1   x        x         x
    branch 2   x        x         x
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from pmind.analysis.weights import ReadLayer, read_weights
from pmind.geometry import ANSWER, CONTEXT, Layout
from pmind.models.settings import Settings

MOST_CELLS = 96  # a side
PER_MILLE = 1000


@dataclass(frozen=True)
class Cells:
    """Which tokens of a layout share a cell.

    Attributes:
        index: ``[T]`` cell of each token.
        branch: ``[C]`` branch number of each cell.
        column: ``[C]`` column of its first token.
        part: ``[C]`` ``c``, ``q`` or ``a``: context, prompt, answer.
        sizes: ``[C]`` tokens in it.
    """

    index: Tensor
    branch: tuple[int, ...]
    column: tuple[int, ...]
    part: tuple[str, ...]
    sizes: tuple[int, ...]

    def pool(self, weights: Tensor) -> Tensor:
        """``[H, C, C]`` from ``[H, T, T]``: a mean over the tokens that read, a sum over those that are read."""
        count = len(self.branch)
        member = torch.nn.functional.one_hot(self.index, count).to(weights.dtype)  # [T, C]
        return member.T @ (weights @ member) / torch.tensor(self.sizes, dtype=weights.dtype)[:, None]


def cells_of(layout: Layout, most: int = MOST_CELLS) -> Cells:
    """As few tokens a cell as make at most MOST cells, where there are not more parts than that.

    Example:
        >>> from pmind.geometry import build_layout
        >>> layout = build_layout([9] * 6, [[5, 6]], [[1]], alignment="right")
        >>> cells = cells_of(layout, most=5)
        >>> cells.sizes, cells.part
        ((2, 2, 2, 2, 1), ('c', 'c', 'c', 'q', 'a'))
    """
    parts = _parts(layout)
    size = 1
    while sum(-(-len(places) // size) for places in parts) > max(most, len(parts)):
        size += 1
    chunks = [places[start : start + size] for places in parts for start in range(0, len(places), size)]
    index = torch.empty(len(layout.token_ids), dtype=torch.int64)
    for number, places in enumerate(chunks):
        index[places] = number
    first = torch.tensor([places[0] for places in chunks])
    letters = {CONTEXT: "c", ANSWER: "a"}
    return Cells(
        index,
        tuple(layout.branch[first].tolist()),
        tuple(layout.column[first].tolist()),
        tuple(letters.get(role, "q") for role in layout.roles[first].tolist()),
        tuple(map(len, chunks)),
    )


def map_group(
    model: PreTrainedModel,
    settings: Settings,
    layout: Layout,
    texts: Sequence[str],
    *,
    most: int = MOST_CELLS,
    heads: bool = True,
) -> dict[str, Any]:
    """Attention of every layer and head over one finished group.

    Args:
        model: wired with ``settings``.
        settings: its visibility.
        layout: the group.
        texts: ``[T]`` what each token says.
        most: cells a side.
        heads: a map for every head; else one for every layer, the mean over its heads.

    Returns:
        JSON-ready: ``branch``, ``column``, ``part``, ``sizes`` and ``text`` of each cell; ``maps`` with ``layer`` and
        ``head`` (both from 1; no head where it is their mean), whose ``cells`` are rows of per-mille shares as text
        (see :func:`as_rows`).

    Raises:
        ModelError: the model has a cross-batch module.
    """
    cells = cells_of(layout, most)
    maps: list[dict[str, Any]] = []
    read_weights(model, settings, layout, _Pooling(cells, maps, heads).read)
    return {
        "branch": list(cells.branch),
        "column": list(cells.column),
        "part": "".join(cells.part),
        "sizes": list(cells.sizes),
        "text": _cell_texts(cells, layout, texts),
        "maps": maps,
    }


def save_weights(model: PreTrainedModel, settings: Settings, layout: Layout, save: ReadLayer) -> None:
    """Hand every layer's ``[H, T, T]`` weights, in branch order, to SAVE, one layer after the other."""
    order = branch_order(layout)
    read_weights(model, settings, layout, lambda layer, weights: save(layer, weights.cpu()[:, order][:, :, order]))


def branch_order(layout: Layout) -> Tensor:
    """``[T]`` flat indices, context first, then branch by branch."""
    return torch.tensor([place for places in _parts(layout) for place in places])


def as_rows(shares: Tensor) -> list[str]:
    """``[rows, columns]`` shares in per mille as lines of text, zeros as dots: small, and a person can read it.

    Example:
        >>> as_rows(torch.tensor([[1.0, 0.0], [0.25, 0.75]]))
        ['1000 .', '250 750']
    """
    rounded = (PER_MILLE * shares.double()).round().int().tolist()
    return [" ".join(str(value) if value else "." for value in row) for row in rounded]


class _Pooling:
    def __init__(self, cells: Cells, maps: list[dict[str, Any]], heads: bool) -> None:
        self._cells, self._maps, self._heads = cells, maps, heads

    def read(self, layer: int, weights: Tensor) -> None:
        pooled = self._cells.pool(weights.cpu())  # [H, C, C]
        if not self._heads:
            self._maps.append({"layer": layer + 1, "cells": as_rows(pooled.mean(0))})
            return
        for head, shares in enumerate(pooled):
            self._maps.append({"layer": layer + 1, "head": head + 1, "cells": as_rows(shares)})


def _parts(layout: Layout) -> list[list[int]]:
    """Flat indices of the context, then of each branch's prompt and answer, in their columns' order."""
    found: dict[tuple[int, bool], list[int]] = {}
    for place, (branch, role) in enumerate(zip(layout.branch.tolist(), layout.roles.tolist(), strict=True)):
        found.setdefault((branch, role == ANSWER), []).append(place)
    return [found[key] for key in sorted(found)]


def _cell_texts(cells: Cells, layout: Layout, texts: Sequence[str]) -> list[str]:
    found = [""] * len(cells.branch)
    for place in torch.argsort(layout.column, stable=True).tolist():
        found[int(cells.index[place])] += texts[place]
    return found
