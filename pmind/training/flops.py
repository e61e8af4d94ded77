"""Arithmetic that a training step asks of a model, as the count that utilisation is measured against."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn
from transformers import PreTrainedModel

from pmind.decoding.cache import kv_shape


@dataclass(frozen=True)
class ModelFlops:
    """Floating-point operations of a forward and backward pass.

    Attributes:
        token: of all linear layers but the output head, for one token.
        label: of the output head, for one token that has a label.
        pair: of attention, for one token that may read one other.
    """

    token: int
    label: int
    pair: int

    def step(self, lengths: Sequence[int], label_tokens: int) -> int:
        """Operations of samples of those lengths.

        A token may read half of its sample on average. PaLM counts the whole, twice as much; what
        a mask rules out no model has to compute.

        Example:
            >>> ModelFlops(token=6, label=60, pair=12).step([10, 20], label_tokens=5)
            3480
        """
        pairs = sum(length * length for length in lengths) // 2
        return self.token * sum(lengths) + self.label * label_tokens + self.pair * pairs


def count_flops(model: PreTrainedModel) -> ModelFlops:
    """Operations of a model as it is trained, recomputation not included.

    A token costs ``6 N`` (Chowdhery et al., PaLM, 2022, appendix B): 2 for each weight of a linear
    layer in the forward pass, 2 for the gradient of its input, and 2 for that of the weight itself,
    which frozen weights do without. Attention costs 12 per layer, head and dimension for each pair
    of tokens: two products, forward and twice backward.
    """
    head = model.get_output_embeddings()
    layers, _, head_size = kv_shape(model.config)
    linears = [module for module in model.modules() if isinstance(module, nn.Linear) and module is not head]
    return ModelFlops(
        token=sum(_weight_flops(linear) for linear in linears),
        label=_weight_flops(head),
        pair=12 * layers * model.config.num_attention_heads * head_size,
    )


def _weight_flops(linear: nn.Module) -> int:
    return linear.weight.numel() * (6 if linear.weight.requires_grad else 4)
