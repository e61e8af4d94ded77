"""Keys and values of several groups, each context stored once.

A row holds one group: its context, its prompts and the answers so far, in the order they were
written. Where a token stands in the row means nothing; its coords do.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PretrainedConfig

from pmind.geometry import PADDING


class GroupCache:
    """Preallocated keys and values with the coords they belong to.

    Attributes:
        coords: ``[B, S, 2]`` coords of the stored tokens, ``PADDING`` where a place is free.
        lengths: tokens stored in each row.
    """

    def __init__(
        self, config: PretrainedConfig, rows: int, capacity: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        shape = (config.num_hidden_layers, rows, heads, capacity, head_size)
        self._keys = torch.zeros(shape, dtype=dtype, device=device)
        self._values = torch.zeros(shape, dtype=dtype, device=device)
        self.coords = torch.full((rows, capacity, 2), PADDING, device=device)
        self.lengths = [0] * rows

    @property
    def bytes(self) -> int:
        """Size of the key and value buffers."""
        return self._keys.nbytes + self._values.nbytes

    @property
    def used(self) -> int:
        """Tokens in the longest row."""
        return max(self.lengths)

    def clear(self, row: int) -> None:
        """Free a row for another group."""
        self.coords[row] = PADDING
        self.lengths[row] = 0

    def reserve(self, rows: Sequence[int], coords: Tensor) -> "CacheWrite":
        """Give the next free places of ROWS to new tokens.

        Args:
            rows: the R rows written to.
            coords: ``[R, T, 2]``; padding takes no place.

        Returns:
            What attention stores the tokens' keys and values through.
        """
        real = coords[..., 0] >= 0  # [R, T]
        starts = torch.tensor([self.lengths[row] for row in rows], device=coords.device)
        places = (real.cumsum(1) - 1 + starts[:, None])[real]  # [tokens]
        row_of = torch.tensor(list(rows), device=coords.device)[:, None].expand_as(real)[real]  # [tokens]
        self.coords[row_of, places] = coords[real]
        for row, count in zip(rows, real.sum(1).tolist(), strict=True):
            self.lengths[row] += count
        return CacheWrite(self, list(rows), real, row_of, places)


class CacheWrite:
    """One pass's new tokens: stores their keys and values, hands back all of their rows."""

    def __init__(self, cache: GroupCache, rows: list[int], real: Tensor, row_of: Tensor, places: Tensor) -> None:
        self._cache = cache
        self._real = real
        self._row_of = row_of
        self._places = places
        all_rows = rows == list(range(len(cache.lengths)))
        self._rows = slice(None) if all_rows else torch.tensor(rows, device=real.device)
        self._used = max(cache.lengths[row] for row in rows)

    @property
    def coords(self) -> Tensor:
        """``[R, S, 2]`` coords of everything stored in the rows, the new tokens included."""
        return self._cache.coords[self._rows, : self._used]

    def update(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Store ``[R, H, T, D]`` keys and values, return ``[R, H, S, D]`` to attend to."""
        return self._write(self._cache._keys[layer], key), self._write(self._cache._values[layer], value)

    def _write(self, stored: Tensor, new: Tensor) -> Tensor:
        stored[self._row_of, :, self._places] = new.transpose(1, 2)[self._real]  # [tokens, H, D]
        return stored[self._rows, :, : self._used]
