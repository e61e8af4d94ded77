"""Context and prompts become flat tokens with (branch, column) coordinates.

Alignment decides where a prompt of length p stands, with a context of C columns and P the
longest prompt of the group (here C = 3, P = 3)::

    column    0  1  2  3  4  5  6  7
    context   c  c  c  .  .  .  .  .
    right 1   .  .  .  q  q  q  a  a     prompts end in column C+P-1, answers start in C+P
    right 2   .  .  .  .  .  q  a  a
    left  2   .  .  .  q  .  .  a  a     prompts start in column C, answers start in C+P
    own   2   .  .  .  q  a  a  .  .     prompt, then answer, as if the branch were alone

A token's coordinates depend on its own branch's number and tokens, on C and on P, and on
nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pmind.errors import LayoutError

Alignment = Literal["own", "right", "left"]
TokenIds = Sequence[int]

CONTEXT, PROMPT, ANSWER = 0, 1, 2
PADDING = -1  # branch and column of padding; real ones are never negative


@dataclass(frozen=True)
class Layout:
    """Tokens of one group in flat order: by column, then by branch.

    Attributes:
        token_ids: ``[T]`` int64.
        coords: ``[T, 2]`` int64 (branch, column).
        roles: ``[T]`` int64, each ``CONTEXT``, ``PROMPT`` or ``ANSWER``.
        following: ``[T]`` int64, flat index of the same branch's next token, -1 after its last.
    """

    token_ids: Tensor
    coords: Tensor
    roles: Tensor
    following: Tensor

    @property
    def branch(self) -> Tensor:
        """``[T]`` branch number of each token; 0 is the context."""
        return self.coords[:, 0]

    @property
    def column(self) -> Tensor:
        """``[T]`` time step of each token."""
        return self.coords[:, 1]


def build_layout(
    context: TokenIds,
    prompts: Sequence[TokenIds],
    answers: Sequence[TokenIds] | None = None,
    *,
    alignment: Alignment,
    numbers: Sequence[int] | None = None,
    column_offsets: Sequence[int] | None = None,
) -> Layout:
    """Lay out a group: the context once, every branch beside it.

    Args:
        context: ids of the shared context; may be empty.
        prompts: ids of each branch's prompt; one may be empty if its answer is not.
        answers: ids that follow each prompt (training, scoring); none when omitted.
        alignment: ``own``, ``right`` or ``left``, see the module's picture.
        numbers: branch numbers, 1 … N by default; all different and positive.
        column_offsets: columns by which each whole branch is moved to the right; none by default.

    Raises:
        LayoutError: no branch, an empty branch, or branch numbers that clash.

    Example:
        >>> layout = build_layout([9, 9], [[5, 6], [7]], alignment="right")
        >>> layout.coords.tolist()
        [[0, 0], [0, 1], [1, 2], [1, 3], [2, 3]]
        >>> layout.token_ids.tolist()
        [9, 9, 5, 6, 7]
    """
    answers = [()] * len(prompts) if answers is None else answers
    numbers = range(1, len(prompts) + 1) if numbers is None else numbers
    offsets = [0] * len(prompts) if column_offsets is None else column_offsets
    _check_branches(prompts, answers, numbers, offsets)
    starts = branch_starts(len(context), [len(prompt) for prompt in prompts], alignment)
    parts = [_part(context, 0, 0, CONTEXT)]
    for prompt, answer, number, offset, (prompt_start, answer_start) in zip(
        prompts, answers, numbers, offsets, starts, strict=True
    ):
        parts.append(_part(prompt, number, prompt_start + offset, PROMPT))
        parts.append(_part(answer, number, answer_start + offset, ANSWER))
    return _in_flat_order(torch.cat(parts))


def branch_starts(context_length: int, prompt_lengths: Sequence[int], alignment: Alignment) -> list[tuple[int, int]]:
    """First column of each prompt and of each answer.

    Example:
        >>> branch_starts(8, [4, 3, 2], "left")
        [(8, 12), (8, 12), (8, 12)]
        >>> branch_starts(8, [4, 3, 2], "own")
        [(8, 12), (8, 11), (8, 10)]
    """
    longest = max(prompt_lengths, default=0)
    end = context_length + longest
    if alignment == "own":
        return [(context_length, context_length + length) for length in prompt_lengths]
    if alignment == "right":
        return [(end - length, end) for length in prompt_lengths]
    if alignment == "left":
        return [(context_length, end) for _ in prompt_lengths]
    raise LayoutError(f"unknown alignment {alignment!r}; use own, right or left")


def pad_layouts(layouts: Sequence[Layout], pad_id: int) -> tuple[Tensor, Tensor]:
    """Stack layouts of different lengths.

    Returns:
        token ids ``[B, T]`` filled with ``pad_id``, and coords ``[B, T, 2]`` filled with
        ``PADDING``, which no real token can see.
    """
    token_ids = torch.nn.utils.rnn.pad_sequence([layout.token_ids for layout in layouts], True, pad_id)
    coords = torch.nn.utils.rnn.pad_sequence([layout.coords for layout in layouts], True, PADDING)
    return token_ids, coords


def _check_branches(
    prompts: Sequence[TokenIds], answers: Sequence[TokenIds], numbers: Sequence[int], offsets: Sequence[int]
) -> None:
    if not prompts:
        raise LayoutError("a group needs at least one branch; pass at least one prompt")
    for name, values in (("answers", answers), ("numbers", numbers), ("column_offsets", offsets)):
        if len(values) != len(prompts):
            raise LayoutError(f"{len(prompts)} prompts but {len(values)} {name}; pass one for each prompt")
    for number, prompt, answer in zip(numbers, prompts, answers, strict=True):
        if len(prompt) + len(answer) == 0:
            raise LayoutError(
                f"branch {number} has 0 tokens; every branch needs at least one. "
                "Drop empty prompts before build_layout()."
            )
    if len(set(numbers)) < len(numbers) or min(numbers) < 1:
        raise LayoutError(f"branch numbers must be different and at least 1, not {list(numbers)}")
    if min(offsets) < 0:
        raise LayoutError(f"column offsets must not be negative, not {list(offsets)}")


def _part(token_ids: TokenIds, branch: int, start: int, role: int) -> Tensor:
    """``[L, 4]`` rows (token, branch, column, role) of one run of tokens."""
    ids = torch.as_tensor(token_ids, dtype=torch.int64)
    columns = torch.arange(start, start + len(ids))
    return torch.stack((ids, torch.full_like(ids, branch), columns, torch.full_like(ids, role)), dim=1)


def _in_flat_order(rows: Tensor) -> Layout:
    rows = rows[torch.argsort(rows[:, 1], stable=True)]
    rows = rows[torch.argsort(rows[:, 2], stable=True)]  # by column, then by branch
    return Layout(rows[:, 0], rows[:, 1:3], rows[:, 3], _following(rows[:, 1]))


def _following(branch: Tensor) -> Tensor:
    by_branch = torch.argsort(branch, stable=True)  # columns stay in order within a branch
    same = branch[by_branch[1:]] == branch[by_branch[:-1]]
    following = torch.full_like(branch, -1)
    following[by_branch[:-1][same]] = by_branch[1:][same]
    return following
