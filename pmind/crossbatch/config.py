"""What a cross-batch module is made of."""

from dataclasses import dataclass

from pmind.errors import ModelError
from pmind.params import CrossBatchKind, CrossBatchSum


@dataclass(frozen=True)
class CrossBatchConfig:
    """Shape and place of a module.

    Attributes:
        kind: ``attention`` with projections of its own for queries, keys and values, or ``mixer``:
            a mean of the siblings' states by the cosine of their projections.
        heads: of ``attention``; must divide the model's hidden size.
        layer: after which it works, counted from 0; -1 is the last.
        combine: ``scale`` adds what the siblings tell times a learned number, ``gate`` times what a
            small network makes of the token's own state and of what they tell.

    Raises:
        ModelError: no heads, or a layer below -1.
    """

    kind: CrossBatchKind = "attention"
    heads: int = 8
    layer: int = -1
    combine: CrossBatchSum = "scale"

    def __post_init__(self) -> None:
        if self.heads < 1:
            raise ModelError(f"a cross-batch module needs at least one head, not {self.heads}")
        if self.layer < -1:
            raise ModelError(f"crossbatch layer must be -1 (the last) or a layer counted from 0, not {self.layer}")
