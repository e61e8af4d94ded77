"""What a head reads, as numbers: shares by role, retrieval, and how it selects columns and branches.

Every key that a token may read has one role::

    column            0        1        2        3        4
    context           context  context  .        .        .
    branch 1          .        .        siblings siblings .
    branch 2, at 4    .        .        own      own      self

and of the siblings' keys, ``same_place`` are those that stand as far from the beginning of their
branch as the reader from that of its own.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pmind.analysis.finished import answer_labels
from pmind.geometry import Layout
from pmind.training.batches import NO_LABEL
from pmind.visibility import Visibility, dense_mask

ROLES = ("context", "self", "own", "siblings", "same_place")


@dataclass(frozen=True)
class Readers:
    """The tokens of a layout that predict an answer, and what each key is to them.

    Attributes:
        places: ``[Q]`` their flat indices.
        labels: ``[Q]`` what each has to predict.
        branch: ``[Q]`` their branch numbers.
        visible: ``[Q, T]`` bool.
        role: ``[Q, T]`` index into :data:`ROLES`, -1 where nothing is visible.
        columns_back: ``[Q, T]`` columns from the key to the reader.
        branches_off: ``[Q, T]`` the key's branch number minus the reader's.
        layout: of all tokens.
    """

    places: Tensor
    labels: Tensor
    branch: Tensor
    visible: Tensor
    role: Tensor
    columns_back: Tensor
    branches_off: Tensor
    layout: Layout


def find_readers(layout: Layout, rule: Visibility, stop_id: int | None) -> Readers:
    """The tokens of LAYOUT that predict an answer or the stop token after it.

    Example:
        >>> from pmind.geometry import build_layout
        >>> from pmind.visibility import columnar
        >>> layout = build_layout([9], [[5, 6], [7]], [[1], [2]], alignment="right")
        >>> layout.coords.tolist()  # (branch, column)
        [[0, 0], [1, 1], [1, 2], [2, 2], [1, 3], [2, 3]]
        >>> readers = find_readers(layout, columnar, stop_id=0)
        >>> readers.places.tolist()
        [2, 3, 4, 5]
        >>> [[ROLES[role] if role >= 0 else "" for role in row] for row in readers.role[-1:].tolist()]
        [['context', 'siblings', 'same_place', 'own', '', 'self']]
    """
    labels = answer_labels(layout, stop_id)
    places = (labels != NO_LABEL).nonzero()[:, 0]
    coords = layout.coords
    visible = dense_mask(rule, coords[None, places], coords[None])[0]  # [Q, T]
    branches_off = layout.branch[None] - layout.branch[places, None]
    columns_back = layout.column[places, None] - layout.column[None]
    role = _roles(layout, places, branches_off).masked_fill(~visible, -1)
    return Readers(places, labels[places], layout.branch[places], visible, role, columns_back, branches_off, layout)


def role_shares(weights: Tensor, readers: Readers) -> Tensor:
    """Share of attention on each role.

    Args:
        weights: ``[H, Q, T]`` of the readers.
        readers: of the same layout.

    Returns:
        ``[H, Q, R]``, rows of sum 1.
    """
    return torch.stack([(weights * (readers.role == role)).sum(-1) for role in range(len(ROLES))], dim=-1)


def even_shares(readers: Readers) -> Tensor:
    """``[Q, R]`` the shares of a head that reads every visible token alike."""
    even = readers.visible / readers.visible.sum(-1, keepdim=True)
    return role_shares(even[None], readers)[0]


def retrieval(weights: Tensor, readers: Readers) -> tuple[Tensor, Tensor]:
    """Whether a head looks at the very token that comes next, where the context holds it.

    The score of Wu et al. (2024, "Retrieval Head Mechanistically Explains Long-Context Factuality"):
    the share of copied tokens for which the key a head reads most is in the context and is the token
    that is said next.

    Args:
        weights: ``[H, Q, T]``.
        readers: of the same layout.

    Returns:
        ``[H, Q]`` bool; ``[Q]`` bool, whether the context holds the token at all.
    """
    tokens, context = readers.layout.token_ids, readers.layout.branch == 0
    sought = (tokens[None] == readers.labels[:, None]) & context  # [Q, T]
    most = weights.argmax(-1)  # [H, Q]
    return sought.expand(len(weights), -1, -1).gather(2, most[..., None])[..., 0], sought.any(-1)


def entropy(weights: Tensor) -> Tensor:
    """``[H, Q]`` in nats: 0 for one token, log n for n alike."""
    return torch.special.entr(weights).sum(-1)


def selectivity(weights: Tensor, readers: Readers) -> tuple[Tensor, Tensor, Tensor]:
    """How far a head picks columns, and how far it picks branches, among what branches wrote.

    With a the attention beside the context, scaled to sum 1, and u that of a head that reads all of
    these tokens alike, the score of an axis is

        KL(a's share by place on the axis ‖ u's) / max over places of log(1 / u's),

    0 for an even head and 1 for one that reads nothing but the rarest column, or branch. By the chain rule
    of relative entropy (Cover and Thomas, 2006, theorem 2.5.3) what is not explained by
    the axis is selection within its places. Isolated branches have no other to pick: 0.

    Args:
        weights: ``[H, Q, T]``.
        readers: of the same layout.

    Returns:
        ``[H, Q]`` by column, ``[H, Q]`` by branch, ``[H, Q]`` the attention that was looked at.
    """
    beside = readers.visible & (readers.layout.branch > 0)
    mass = weights.double() * beside
    total = mass.sum(-1)  # [H, Q]
    mine = mass / total.clamp(min=torch.finfo(torch.float64).tiny)[..., None]
    even = (beside / beside.sum(-1, keepdim=True)).double()
    by_column = _axis_score(mine, even, readers.layout.column)
    by_branch = _axis_score(mine, even, readers.layout.branch)
    return by_column, by_branch, total


def _roles(layout: Layout, places: Tensor, branches_off: Tensor) -> Tensor:
    """``[Q, T]`` as if every token were visible."""
    begins = torch.zeros(int(layout.branch.max()) + 1, dtype=torch.int64)
    begins.scatter_reduce_(0, layout.branch, layout.column, "amin", include_self=False)
    relative = layout.column - begins[layout.branch]
    own = branches_off == 0
    itself = torch.arange(len(layout.branch))[None] == places[:, None]
    same_place = ~own & (relative[None] == relative[places, None])
    role = torch.full_like(branches_off, ROLES.index("siblings"))
    role[same_place] = ROLES.index("same_place")
    role[own] = ROLES.index("own")
    role[itself] = ROLES.index("self")
    role[:, layout.branch == 0] = ROLES.index("context")
    return role


def _axis_score(mine: Tensor, even: Tensor, axis: Tensor) -> Tensor:
    """``[H, Q]`` from ``[H, Q, T]`` and ``[Q, T]`` weights and the ``[T]`` place of each key on an axis."""
    places, index = axis.unique(return_inverse=True)
    summed = mine.new_zeros(*mine.shape[:2], len(places)).index_add_(2, index, mine)
    expected = even.new_zeros(len(even), len(places)).index_add_(1, index, even)
    known = expected > 0
    surprise = -expected.where(known, torch.ones_like(expected)).log()  # [Q, places]
    distance = (-torch.special.entr(summed) + summed * surprise).sum(-1)
    most = surprise.max(-1).values  # [Q]
    return torch.where(most > 0, distance / most.where(most > 0, torch.ones_like(most)), 0.0)
