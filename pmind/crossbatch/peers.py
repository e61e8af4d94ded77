"""Who may exchange information: the tokens from which a group's branches predict the same step of their answers.

Step 0 is every branch's last prompt token, step j its j-th answer token::

    branch 1   q q a b      steps   .  0  1  2      peers   0: q2 s      (step 0 of both)
    branch 2   r s c                .  0  1                 1: a  c
                                                            2: b  .      branch 2 has ended

Peers are a table ``[P, M]``, one row for each step of each group, of flat places in a batch of
tokens; ``ENDED`` fills rows of groups with fewer branches. What is not in one row never meets, be
it another group, a later step, or padding.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

ENDED = -1


def answer_peers(coords: Tensor, predicts: Tensor) -> Tensor:
    """Peers of a whole layout, as teacher forcing feeds it: all steps at once.

    A step is a token's rank in its own branch, so neither the alignment nor where padding stands
    matters.

    Args:
        coords: ``[B, T, 2]`` (branch, column); one group a row.
        predicts: ``[B, T]`` bool, the tokens that predict an answer's next token or its end.

    Returns:
        ``[P, M]`` int64 places in the ``[B * T]`` tokens.

    Example:
        >>> coords = torch.tensor([[[0, 0], [1, 1], [2, 1], [1, 2], [2, 2], [1, 3]]])
        >>> answer_peers(coords, torch.tensor([[False, False, True, True, True, True]])).tolist()
        [[2, 3], [4, 5]]
    """
    row, place = predicts.nonzero(as_tuple=True)  # [K]
    branch, column = coords[row, place].unbind(dim=-1)
    row, place, branch = (values[column.argsort(stable=True)] for values in (row, place, branch))
    step = _rank(_paired(row, branch))
    return _table(_paired(row, step), row * predicts.shape[1] + place)


def column_peers(branches: Sequence[int]) -> Tensor:
    """Peers of a decoding column: ``branches`` tokens of each group, one group behind the other.

    Example:
        >>> column_peers([2, 1]).tolist()
        [[0, 1], [2, -1]]
    """
    group = torch.arange(len(branches)).repeat_interleave(torch.tensor(branches))
    return _table(group, torch.arange(len(group)))


def _table(keys: Tensor, places: Tensor) -> Tensor:
    """Rows of the ``[K]`` places that have equal keys, rows by rising key."""
    _, row = keys.unique(return_inverse=True)
    slot = _rank(keys)
    rows, slots = (int(index.max()) + 1 if len(index) else 0 for index in (row, slot))
    table = places.new_full((rows, slots), ENDED)
    table[row, slot] = places
    return table


def _rank(keys: Tensor) -> Tensor:
    """``[K]`` how many equal keys stand before each."""
    ordered, order = keys.sort(stable=True)
    rank = torch.arange(len(keys), device=keys.device) - torch.searchsorted(ordered, ordered)
    return torch.empty_like(rank).scatter(0, order, rank)


def _paired(first: Tensor, second: Tensor) -> Tensor:
    """One key for each different pair of numbers from 0 up, in their order."""
    return first * (int(second.max()) + 1 if len(second) else 1) + second
