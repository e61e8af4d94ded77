"""A grid of settings wider than what was measured, and the least crowded of it by head, ratio and encoding."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from torch import Tensor

from pmind.analysis.crowding import Crowding, crowding, plain_sharpness
from pmind.analysis.phases import Geometry, head_frequencies, kernel
from pmind.errors import SettingsError

RATIOS = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875)
PLACEMENTS = ("interleaved", "low", "high")
ENCODINGS = ("replace", "offset")
STRIDES = (1, 4, 16, 64, 256, 1024, 4096)
AS_GOOD = 0.01  # nats of crowding that no model would notice

Row = dict[str, Any]


@dataclass(frozen=True)
class Head:
    """Frequencies of an attention head: its dimensions and the base θ of its wavelengths."""

    size: int
    theta: float

    @property
    def inv_freq(self) -> Tensor:
        """``[F]`` radians a position."""
        return head_frequencies(self.size, self.theta)


HEADS = (Head(32, 1e4), Head(64, 1e4), Head(64, 1e6), Head(128, 1e6))  # of the presets and of usual models


def wider_grid(head: Head, default: Geometry, branches: int, columns: int) -> list[Row]:
    """No pair at all, the least crowded placement and stride of every ratio and encoding, then DEFAULT.

    Returns:
        Rows with the setting, its crowding in nats with both parts, and its rank among all that were compared.
    """
    inv_freq = head.inv_freq
    sharpness = plain_sharpness(inv_freq, columns)
    compared = dict.fromkeys((*_combinations(len(inv_freq)), default))
    found = {one: crowding(kernel(one, inv_freq, branches, columns), inv_freq, sharpness) for one in compared}
    ranked = sorted(found, key=lambda one: found[one].total)
    kinds: dict[tuple[float, str], list[Geometry]] = {}
    for one in _combinations(len(inv_freq)):
        kinds.setdefault((one.ratio, one.encoding), []).append(one)
    kept = [_least(kind, found) for kind in kinds.values()]
    shape = {"head_size": head.size, "theta": head.theta, "compared": len(ranked)}
    return [{**shape, **_predicted(one, found[one], ranked.index(one) + 1, one == default)} for one in (*kept, default)]


def setting_row(geometry: Geometry) -> Row:
    """A geometry as the start of a row."""
    return {
        "label": geometry.label,
        "ratio": geometry.ratio,
        "placement": geometry.placement,
        "encoding": geometry.encoding,
        "stride": geometry.stride,
    }


def _least(kind: Sequence[Geometry], found: Mapping[Geometry, Crowding]) -> Geometry:
    """The least crowded; of those as good as it the shortest stride, nearest to positions a model was trained on."""
    least = min(found[one].total for one in kind)
    as_good = [one for one in kind if found[one].total <= least + AS_GOOD]
    return min(as_good, key=lambda one: (one.stride, found[one].total))


def _predicted(geometry: Geometry, crowded: Crowding, rank: int, default: bool) -> Row:
    return {
        **setting_row(geometry),
        "crowding": crowded.total,
        "columns_lost": crowded.columns,
        "branches_crowded": crowded.branches,
        "rank": rank,
        "default": default,
    }


def _combinations(frequencies: int) -> Iterable[Geometry]:
    yield Geometry(0.0)
    for geometry in (Geometry(*values) for values in product(RATIOS, PLACEMENTS, ENCODINGS, STRIDES)):
        try:
            geometry.pairs(frequencies)
        except SettingsError:  # a head too small to give a pair at this ratio has no such setting
            continue
        yield geometry
