"""How far apart the rotary embedding sets the places of a group: the position kernel and what it tells.

A head whose queries and keys have one content throughout scores two places by how far the frequency pairs
turn from one to the other. With Δ the (branch, column) from place to place and a pair's angle as in
:func:`pmind.rope.angles`, linear in the coordinates,

    kernel(Δ) = mean over the pairs of cos(angle of Δ),

which is 1 at Δ = 0, and 1 elsewhere only if no pair tells the two places apart. With each pair scaled
to its own amplitude it is the part of attention's score that position makes (RoFormer, Su et al. 2021, eq. 16)::

    Δ column      -2   -1    0   +1   +2
    Δ branch 0    .3   .8    1   .8   .3    own branch: how well columns are told apart
    Δ branch 1    .1   .2   .4   .3   .1    the next one: low where a sibling's tokens cannot be mistaken
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from pmind.errors import SettingsError
from pmind.rope import Encoding, Placement, angles, branch_pairs, branch_turn

COLLISION = 0.01  # places whose kernel is within this of 1 are taken for one another


@dataclass(frozen=True)
class Geometry:
    """How branches are told apart; the fields mean what the parameters of like names mean.

    Example:
        >>> Geometry(0.25).label, Geometry(0.0).label
        ('0.25 interleaved replace 16', '0')
    """

    ratio: float
    placement: Placement = "interleaved"
    encoding: Encoding = "replace"
    stride: int = 16
    indices: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        """What tables and sweeps call it."""
        if self.indices:
            return f"pairs {','.join(map(str, self.indices))} {self.encoding} {self.stride}"
        if self.ratio == 0:
            return "0"
        return f"{self.ratio:g} {self.placement} {self.encoding} {self.stride}"

    def pairs(self, frequencies: int) -> tuple[int, ...]:
        """1-based numbers of the pairs that carry the branch, of so many."""
        return branch_pairs(frequencies, self.ratio, self.placement, self.indices)


@dataclass(frozen=True)
class Measures:
    """What a geometry does to a head, in few numbers; kernels reach from -1 to 1.

    Attributes:
        mean_branch_kernel: mean over all pairs of branches, same column; 1 minus it is their separation.
        worst_branch_kernel: the same of the two branches that look most alike.
        worst_branch_step: how many branches these two are apart.
        neighbour_turn: most by which a branch pair turns from a branch to the next, whole turns left out, in radians.
        alias_kernel: kernel of the two different places of all that look most alike.
        alias_branches: how many branches they are apart.
        alias_columns: how many columns, negative where the later branch's place is the earlier column.
        collisions: differences of places, mirror images once, whose kernel is within :data:`COLLISION` of 1.
        next_column_kernel: kernel from a column to the next of its branch.
        column_sharpness: 1 minus that, over the same of plain RoPE.
        column_alias_kernel: kernel of the two columns of a branch that look most alike.
        turning_share: share of the pairs that turn with the column.
        context_share: share of the pairs that see the context alike from every branch.
    """

    mean_branch_kernel: float
    worst_branch_kernel: float
    worst_branch_step: int
    neighbour_turn: float
    alias_kernel: float
    alias_branches: int
    alias_columns: int
    collisions: int
    next_column_kernel: float
    column_sharpness: float
    column_alias_kernel: float
    turning_share: float
    context_share: float


def head_frequencies(size: int, theta: float) -> Tensor:
    """``[F]`` radians a position of a head of SIZE = 2F dimensions, fastest first (RoFormer, section 3.2.2)."""
    return 1.0 / theta ** (torch.arange(0, size, 2, dtype=torch.int64).float() / size)


def turns(geometry: Geometry, inv_freq: Tensor, branches: int, columns: int) -> Tensor:
    """Angle of every pair for every difference of two places.

    Args:
        geometry: how branches are told apart.
        inv_freq: ``[F]`` radians a position.
        branches: N, how many there are.
        columns: C, how many each has.

    Returns:
        ``[2N-1, 2C-1, F]`` float32 radians; the middle is no difference, rows go by branch.
    """
    steps = torch.arange(1 - branches, branches), torch.arange(1 - columns, columns)
    coords = torch.stack(torch.meshgrid(*steps, indexing="ij"), dim=-1)  # [2N-1, 2C-1, 2]
    carries = torch.zeros(len(inv_freq), dtype=torch.bool)
    carries[[pair - 1 for pair in geometry.pairs(len(inv_freq))]] = True
    return angles(coords, inv_freq, carries, geometry.encoding, geometry.stride)


def kernel(geometry: Geometry, inv_freq: Tensor, branches: int, columns: int) -> Tensor:
    """Mean cosine of the angles of :func:`turns`.

    Returns:
        ``[2N-1, 2C-1]`` float32 from -1 to 1; 1 in the middle.

    Example:
        >>> import math
        >>> half_turn = Geometry(1.0, stride=1), torch.tensor([math.pi])
        >>> kernel(*half_turn, branches=2, columns=1).tolist()  # one branch on: opposite; none: the same
        [[-1.0], [1.0], [-1.0]]
    """
    return turns(geometry, inv_freq, branches, columns).cos().mean(dim=-1)


def measure(geometry: Geometry, inv_freq: Tensor, branches: int, columns: int) -> Measures:
    """The numbers of a geometry; arguments as for :func:`turns`.

    Raises:
        SettingsError: fewer than two branches or columns, of which nothing could be told apart.
    """
    if branches < 2 or columns < 2:
        raise SettingsError(f"{branches} branches of {columns} columns: phases are told of at least 2 of each")
    pairs = geometry.pairs(len(inv_freq))
    found = kernel(geometry, inv_freq, branches, columns)
    plain = kernel(Geometry(0.0), inv_freq, 1, columns)[0]
    by_branch = found[branches:, columns - 1]  # [N-1] of 1 … N-1 branches apart
    by_column = found[branches - 1, columns:]  # [C-1] of 1 … C-1 columns apart
    times = torch.arange(branches - 1, 0, -1)  # pairs of branches that are 1 … N-1 apart
    alias, alias_branches, alias_columns = _alias(found)
    stays = 0 if geometry.encoding == "offset" else len(pairs)
    return Measures(
        mean_branch_kernel=float((by_branch * times).sum() / times.sum()),
        worst_branch_kernel=float(by_branch.max()),
        worst_branch_step=int(by_branch.argmax()) + 1,
        neighbour_turn=branch_turn(inv_freq, pairs, geometry.stride),
        alias_kernel=alias,
        alias_branches=alias_branches,
        alias_columns=alias_columns,
        collisions=int((found > 1 - COLLISION).sum()) // 2,
        next_column_kernel=float(by_column[0]),
        column_sharpness=float((1 - by_column[0]) / (1 - plain[columns])),
        column_alias_kernel=float(by_column.max()),
        turning_share=1 - stays / len(inv_freq),
        context_share=1 - len(pairs) / len(inv_freq),
    )


def _alias(found: Tensor) -> tuple[float, int, int]:
    """The largest kernel besides that of no difference, with its branches (at least 0) and columns."""
    branches, columns = (length // 2 + 1 for length in found.shape)
    half = found[branches - 1 :].clone()  # the other half mirrors it
    half[0, :columns] = -torch.inf
    row, column = divmod(int(half.argmax()), half.shape[1])
    return float(half[row, column]), row, column - (columns - 1)
