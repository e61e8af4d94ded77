"""Phases of settings whose parallel tax was measured, scores that should rank them, and settings not tried yet.

:func:`analyse_phases` gives JSON in rows::

    conditions    head, numbers of branches and columns, sharpness of plain RoPE
    settings      a row a measured setting: its geometry, its measures, its scores, its tax
    correlations  a row a sweep and score: how well the score ranks the sweep's settings
    by_branches   a row a sweep and number of branches: the same of the headline score and the tax there
    kernels       a few settings' kernels, as lists of rows
    wider         a row a head, ratio and encoding of a wider grid: the placement and stride least crowded

A score is the higher the more tax it foretells. None of them is fitted to a tax.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
from torch import Tensor

from pmind.analysis.crowding import (
    PLAIN_SHARE,
    crowding,
    learnt_crowding,
    plain_sharpness,
    sibling_crowding,
)
from pmind.analysis.phases import Geometry, kernel, measure, turns
from pmind.analysis.ranking import FEWEST, rank_correlation, repeatability
from pmind.analysis.wider import HEADS, Head, setting_row, wider_grid
from pmind.errors import DataError

HEADLINE = "crowding"
OTHER_SHARES = (0.25, 0.75, 0.9)  # of plain RoPE's attention, to see how much the headline hangs on one half
OTHER_SHARPNESSES = (4, 8, 32, 64, 128)
SIMPLE = {  # measure or difference of measures -> sign with which it foretells tax
    "mean_branch_kernel": 1,
    "worst_branch_kernel": 1,
    "neighbour_turn": -1,
    "alias_kernel": 1,
    "next_column_kernel": 1,
    "turning_share": -1,
}
KERNEL_COLUMNS = 32  # shown to either side

Row = dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """A setting of a sweep with what was measured.

    Attributes:
        sweep: its name.
        geometry: the setting.
        taxes: parallel tax in nats per token by number of branches, one a seed.
    """

    sweep: str
    geometry: Geometry
    taxes: Mapping[int, tuple[float, ...]]


def analyse_phases(
    measured: Sequence[Measured],
    default: Geometry,
    head: Head,
    *,
    branches: int = 16,
    columns: int = 64,
    heads: Sequence[Head] = HEADS,
) -> dict[str, Any]:
    """All that the module's docstring lists, within seconds.

    Args:
        measured: settings of any number of sweeps; none leaves what is told of measurements empty.
        default: the pipeline's own setting, shown beside the others.
        head: of the models that were measured.
        branches: how many they were trained with at most, and compared at.
        columns: tokens a branch.
        heads: of the wider grid.
    """
    inv_freq = head.inv_freq
    rows = [_measured_row(found, inv_freq, branches, columns) for found in measured]
    return {
        "conditions": _conditions(head, branches, columns),
        "settings": rows,
        "correlations": [row for name in _sweeps(measured) for row in _correlations(name, measured, rows, branches)],
        "by_branches": [row for name in _sweeps(measured) for row in _by_branches(name, measured, rows)],
        "kernels": _kernels([default, *(found.geometry for found in measured)], inv_freq, branches, columns),
        "wider": [row for wide in heads for row in wider_grid(wide, default, branches, columns)],
    }


def scores(geometry: Geometry, inv_freq: Tensor, branches: int, columns: int) -> dict[str, float]:
    """Every score of a setting by name: the simple measures, the headline with its parts, and its variants."""
    told = asdict(measure(geometry, inv_freq, branches, columns))
    found = kernel(geometry, inv_freq, branches, columns)
    sharpness = plain_sharpness(inv_freq, columns)
    crowded = crowding(found, inv_freq, sharpness)
    variants = {
        f"crowding_at_{share:g}": crowding(found, inv_freq, plain_sharpness(inv_freq, columns, share)).total
        for share in OTHER_SHARES
    }
    return {
        **{name: sign * told[name] for name, sign in SIMPLE.items()},
        "branch_and_column_kernel": told["mean_branch_kernel"] + told["next_column_kernel"],
        "sibling_crowding": sibling_crowding(found, sharpness),
        "columns_lost": crowded.columns,
        "branches_crowded": crowded.branches,
        HEADLINE: crowded.total,
        **variants,
        **{f"crowding_at_sharpness_{value}": crowding(found, inv_freq, value).total for value in OTHER_SHARPNESSES},
        "crowding_at_root_size": crowding(found, inv_freq, (2 * len(inv_freq)) ** 0.5).total,
        "crowding_of_learnt_pairs": learnt_crowding(turns(geometry, inv_freq, branches, columns)),
    }


def _measured_row(found: Measured, inv_freq: Tensor, branches: int, columns: int) -> Row:
    told = asdict(measure(found.geometry, inv_freq, branches, columns))
    taxes = _at(found, branches)
    return {
        "sweep": found.sweep,
        **setting_row(found.geometry),
        "pairs": ", ".join(map(str, found.geometry.pairs(len(inv_freq)))),
        "measures": told,
        "scores": scores(found.geometry, inv_freq, branches, columns),
        "tax": float(np.mean(taxes)),
        "tax_least": min(taxes),
        "tax_most": max(taxes),
        "seeds": len(taxes),
    }


def _at(found: Measured, branches: int) -> tuple[float, ...]:
    if branches not in found.taxes:
        raise DataError(
            f"sweep '{found.sweep}', {found.geometry.label}: no tax at {branches} branches, "
            f"only at {', '.join(map(str, sorted(found.taxes)))}. Run it again: make ablations"
        )
    return found.taxes[branches]


def _conditions(head: Head, branches: int, columns: int) -> Row:
    return {
        "head_size": head.size,
        "theta": head.theta,
        "branches": branches,
        "columns": columns,
        "plain_share": PLAIN_SHARE,
        "sharpness": plain_sharpness(head.inv_freq, columns),
    }


def _sweeps(measured: Sequence[Measured]) -> list[str]:
    """Sweeps with enough settings to rank."""
    names = [found.sweep for found in measured]
    return [name for name, group in groupby(names) if len(list(group)) >= FEWEST]


def _taxes(measured: Sequence[Measured], sweep: str, branches: int) -> np.ndarray:
    """``[settings, seeds]``, as many seeds as all have."""
    found = [_at(one, branches) for one in measured if one.sweep == sweep]
    seeds = min(map(len, found))
    return np.array([taxes[:seeds] for taxes in found])


def _correlations(sweep: str, measured: Sequence[Measured], rows: Sequence[Row], branches: int) -> list[Row]:
    own = [row["scores"] for row in rows if row["sweep"] == sweep]
    taxes = _taxes(measured, sweep, branches)
    shared = {"sweep": sweep, "settings": len(own), "seeds": taxes.shape[1], "repeatability": repeatability(taxes)}
    columns = {name: [row[name] for row in own] for name in own[0]}
    told = {name: column for name, column in columns.items() if len(set(column)) > 1}  # what is alike ranks nothing
    found = [{**shared, "score": name, **asdict(rank_correlation(column, taxes))} for name, column in told.items()]
    return sorted(found, key=lambda row: -row["rho"])


def _by_branches(sweep: str, measured: Sequence[Measured], rows: Sequence[Row]) -> list[Row]:
    own = [row["scores"][HEADLINE] for row in rows if row["sweep"] == sweep]
    if len(set(own)) == 1:
        return []
    counts = set.intersection(*(set(one.taxes) for one in measured if one.sweep == sweep))
    return [
        {"sweep": sweep, "branches": count, **asdict(rank_correlation(own, _taxes(measured, sweep, count)))}
        for count in sorted(counts)
    ]


def _kernels(geometries: Sequence[Geometry], inv_freq: Tensor, branches: int, columns: int) -> list[Row]:
    """Kernels of the default, the least crowded, and those that lose most by siblings and by columns."""
    sharpness = plain_sharpness(inv_freq, columns)
    found = {geometry: kernel(geometry, inv_freq, branches, columns) for geometry in dict.fromkeys(geometries)}
    crowded = {geometry: crowding(one, inv_freq, sharpness) for geometry, one in found.items()}
    carrying = [geometry for geometry in found if geometry.ratio > 0 or geometry.indices] or list(found)
    shown = {
        "default": geometries[0],
        "least crowded": min(found, key=lambda one: crowded[one].total),
        "most crowded by siblings": max(carrying, key=lambda one: crowded[one].branches),
        "most columns lost": max(found, key=lambda one: crowded[one].columns),
    }
    reach = min(KERNEL_COLUMNS, columns - 1)
    part = slice(columns - 1 - reach, columns + reach)
    return [
        {
            "role": role,
            "label": geometry.label,
            "first_column": -reach,
            "kernel": [[round(value, 3) for value in row] for row in found[geometry][branches - 1 :, part].tolist()],
        }
        for role, geometry in shown.items()
    ]
