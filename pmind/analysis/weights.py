"""Attention weights of one teacher-forced pass, a layer at a time.

Each layer's ``[H, T, T]`` weights go to a reader and are dropped before the next layer's are made,
so that memory holds one layer's, however many there are.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from transformers import PreTrainedModel

from pmind.analysis.finished import run_layout
from pmind.geometry import Layout
from pmind.models.settings import Settings
from pmind.visibility import VISIBILITIES, dense_mask

ReadLayer = Callable[[int, Tensor], None]  # layer from 0, [H, T, T] float32 weights: rows read columns


class WeightsPass:
    """The dense reference, which shows what every token reads.

    Args:
        visible: ``[T, T]`` bool, ``True`` = may attend.
        read: called with every layer's weights.
    """

    def __init__(self, visible: Tensor, read: ReadLayer) -> None:
        self._visible, self._read = visible, read

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """See :class:`pmind.models.wiring.AttentionPass`; a batch of one."""
        repeats = query.shape[1] // key.shape[1]
        key, value = (tensor.repeat_interleave(repeats, dim=1) for tensor in (key, value))  # [1, H, T, D]
        scores = (query @ key.transpose(-1, -2)) * scale  # [1, H, T, T]
        wide = torch.promote_types(scores.dtype, torch.float32)
        weights = scores.masked_fill_(~self._visible, -torch.inf).softmax(dim=-1, dtype=wide)
        del scores
        self._read(layer, weights[0])
        return weights.to(value.dtype) @ value


@torch.inference_mode()
def read_weights(
    model: PreTrainedModel, settings: Settings, layout: Layout, read: ReadLayer, *, keep: Tensor | None = None
) -> Tensor:
    """Run a wired model over a finished layout and hand each layer's attention to READ.

    Args:
        model: wired with ``settings``; any that :func:`pmind.models.wiring.wire` takes.
        settings: its visibility.
        layout: a whole group.
        read: takes a layer's number, from 0, and its ``[H, T, T]`` weights in the layout's flat order;
            what it keeps of them is its own affair.
        keep: ``[K]`` indices of the tokens whose logits are wanted; the last one's by default.

    Returns:
        ``[K, V]`` logits.

    Raises:
        ModelError: the model has a cross-batch module.
    """
    coords = layout.coords[None].to(model.device)
    visible = dense_mask(VISIBILITIES[settings.visibility], coords, coords)[0]
    last = torch.tensor([len(layout.token_ids) - 1])
    return run_layout(model, layout, WeightsPass(visible, read), last if keep is None else keep)
