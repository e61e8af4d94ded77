"""Layouts become training batches: padded tokens, coords and same-branch labels.

A label is what its own branch says next, wherever that token stands in flat order; the last
token's is the stop token, which is predicted but never fed::

    branch 1   q1 q2 a1 a2        labels   .  a1 a2 stop
    branch 2   .  r1 b1           labels   .  b1 stop
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pmind.geometry import ANSWER, PADDING, Alignment, Layout, TokenIds, build_layout, pad_layouts

NO_LABEL = -100  # what cross-entropy ignores


@dataclass(frozen=True)
class Sample:
    """One group to train on.

    Attributes:
        context: ids of the shared context; may be empty.
        prompts: ids of each branch's prompt, not trained on.
        answers: ids of each branch's answer, trained on.
        complete: whether each answer ends where its text does, so that the stop token follows.
        column_offsets: columns by which each branch is moved to the right; ``None`` for none.
    """

    context: TokenIds
    prompts: Sequence[TokenIds]
    answers: Sequence[TokenIds]
    complete: Sequence[bool]
    column_offsets: Sequence[int] | None = None

    def __len__(self) -> int:
        """Tokens of the flat sequence."""
        return len(self.context) + sum(map(len, self.prompts)) + sum(map(len, self.answers))

    @property
    def label_tokens(self) -> int:
        """Labels that the sample has once it is laid out: answer tokens with one before them, and stop tokens."""
        predicted = sum(len(answer) - (not prompt) for prompt, answer in zip(self.prompts, self.answers, strict=True))
        return predicted + sum(self.complete)


@dataclass(frozen=True)
class TrainingBatch:
    """Samples of similar length, side by side.

    Attributes:
        token_ids: ``[B, T]`` int64.
        coords: ``[B, T, 2]`` int64 (branch, column); padding as in :func:`pmind.geometry.pad_layouts`.
        labels: ``[B, T]`` int64, ``NO_LABEL`` where nothing is learnt.
    """

    token_ids: Tensor
    coords: Tensor
    labels: Tensor

    @property
    def labelled(self) -> Tensor:
        """``[K]`` positions that have a label in any row."""
        return (self.labels != NO_LABEL).any(dim=0).nonzero()[:, 0]

    @property
    def label_tokens(self) -> int:
        """Number of tokens that have a label."""
        return int((self.labels != NO_LABEL).sum())

    def to(self, device: torch.device) -> "TrainingBatch":
        """The same batch on another device."""
        return replace(
            self, token_ids=self.token_ids.to(device), coords=self.coords.to(device), labels=self.labels.to(device)
        )

    def padded(self, rows: int, columns: int) -> "TrainingBatch":
        """The same batch with at least that many rows and columns; what is added is neither seen nor learnt."""
        add = (0, max(0, columns - self.token_ids.shape[1]), 0, max(0, rows - self.token_ids.shape[0]))
        return replace(
            self,
            token_ids=nn.functional.pad(self.token_ids, add),
            coords=nn.functional.pad(self.coords, (0, 0, *add), value=PADDING),
            labels=nn.functional.pad(self.labels, add, value=NO_LABEL),
        )


@dataclass(frozen=True)
class Collator:
    """Lays samples out and pads them to one length.

    Attributes:
        alignment: where prompts and answers stand.
        stop_id: label of a complete branch's last token.
        pad_id: fills shorter samples.
        opening: special tokens that head every context, as they do in decoding (Llama's <s>).
    """

    alignment: Alignment
    stop_id: int
    pad_id: int
    opening: TokenIds = ()

    def __call__(self, samples: Sequence[Sample]) -> TrainingBatch:
        """Samples side by side, labels included."""
        layouts = [self._layout(sample) for sample in samples]
        labels = [
            branch_labels(layout, sample.complete, self.stop_id)
            for layout, sample in zip(layouts, samples, strict=True)
        ]
        token_ids, coords = pad_layouts(layouts, self.pad_id)
        return TrainingBatch(token_ids, coords, nn.utils.rnn.pad_sequence(labels, True, NO_LABEL))

    def _layout(self, sample: Sample) -> Layout:
        return build_layout(
            [*self.opening, *sample.context],
            sample.prompts,
            sample.answers,
            alignment=self.alignment,
            column_offsets=sample.column_offsets,
        )


def branch_labels(layout: Layout, complete: Sequence[bool], stop_id: int) -> Tensor:
    """What each token of a layout has to predict.

    Args:
        layout: branches numbered 1 … N.
        complete: ``[N]``, whether the stop token follows the branch's last token.
        stop_id: the stop token.

    Returns:
        ``[T]`` int64: the same branch's next token where that is part of an answer, the stop
        token after the last token of a complete branch, ``NO_LABEL`` elsewhere.

    Example:
        >>> layout = build_layout([9], [[5, 6], [7]], [[1], [2, 3]], alignment="right")
        >>> layout.token_ids.tolist()
        [9, 5, 6, 7, 1, 2, 3]
        >>> branch_labels(layout, [True, False], stop_id=0).tolist()
        [-100, -100, 1, 2, 0, 3, -100]
    """
    has_next = layout.following >= 0
    following = layout.following.clamp(min=0)
    answered = has_next & (layout.roles[following] == ANSWER)
    labels = torch.where(answered, layout.token_ids[following], NO_LABEL)
    stops = torch.tensor([False, *complete])[layout.branch] & ~has_next  # the context (branch 0) never stops
    return torch.where(stops, stop_id, labels)


def split_by_length(samples: Sequence[Sample], max_tokens: int, opening: int = 0) -> list[list[Sample]]:
    """Put samples of similar length together, at most ``max_tokens`` tokens in each part, padding included.

    Branch counts differ, so padding all samples of a step to the longest would waste more than
    half of dense attention. A sample longer than ``max_tokens`` has a part of its own. The collator
    adds ``opening`` tokens to each.
    """
    parts: list[list[Sample]] = []
    for sample in sorted(samples, key=len, reverse=True):
        if parts and (len(parts[-1][0]) + opening) * (len(parts[-1]) + 1) <= max_tokens:
            parts[-1].append(sample)
        else:
            parts.append([sample])
    return parts
