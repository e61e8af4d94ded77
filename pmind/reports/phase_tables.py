"""Tables of the phases: what settings do to a head, which scores foretell the tax, the least crowded settings."""

from collections.abc import Sequence
from itertools import groupby

from pmind.reports import formats
from pmind.reports.phases import HEADLINE, REMEDY, Phases, Row
from pmind.reports.tables import Table

SCORES = {  # in words
    "crowding": "crowding: columns lost and siblings",
    "columns_lost": "columns lost alone",
    "branches_crowded": "siblings alone",
    "crowding_at_0.25": "crowding, plain RoPE a quarter sure",
    "crowding_at_0.75": "crowding, plain RoPE three quarters sure",
    "crowding_at_0.9": "crowding, plain RoPE nine tenths sure",
    **{f"crowding_at_sharpness_{value}": f"crowding, sharpness {value}" for value in (4, 8, 32, 64, 128)},
    "crowding_at_root_size": "crowding, sharpness √D",
    "crowding_of_learnt_pairs": "crowding, sharpness √D, best weight a pair",
    "sibling_crowding": "siblings, for a head that minds no column",
    "branch_and_column_kernel": "mean kernel of branches + kernel of the next column",
    "mean_branch_kernel": "mean kernel of branches",
    "worst_branch_kernel": "kernel of the two branches most alike",
    "neighbour_turn": "turn from a branch to the next, less is worse",
    "alias_kernel": "kernel of the two places most alike",
    "next_column_kernel": "kernel of the next column",
    "turning_share": "share of pairs that turn with the column, less is worse",
}
KERNEL_DECIMALS, TURN_DECIMALS, RHO_DECIMALS = 3, 2, 2


def measured(phases: Phases, sweep: str) -> Table:
    """Setting × separation, alias, column resolution, predicted crowding and measured tax; least tax first."""
    branches = phases.conditions["branches"]
    header = (
        *("Setting", "Separation", "Branches most alike", "Turn, rad", "Next column", "Places most alike"),
        *("Collisions", "Columns lost", "Siblings", "Crowding", f"Tax at {branches}"),
    )
    rows = tuple(map(_measured_row, phases.of_sweep(sweep)))
    notes = (
        "Separation: 1 minus the mean kernel of two branches. Branches and places most alike: their kernel, and how "
        "far they are apart in branches (b) and columns (c). Turn: of the fastest branch pair, to the next branch. "
        "Next column: 1 minus its kernel, as a share of plain RoPE's. Collisions: differences of places with a kernel "
        "above 0.99. Columns lost, siblings and their sum, crowding, in nats; tax in nats per token, mean and range of "
        "the seeds.",
        f"{formats.listed(phases.conditions)}.",
    )
    return Table(f"Phases of the settings of sweep `{sweep}`, least tax first", header, rows, REMEDY, notes=notes)


def correlations(phases: Phases, sweep: str) -> Table:
    """Score × rank correlation with the measured tax."""
    found = [row for row in phases.correlations if row["sweep"] == sweep]
    header = ("Score", "Rank correlation", "95 % over settings and seeds", "95 % over seeds")
    rows = tuple(
        (SCORES.get(row["score"], row["score"]), _rho(row["rho"]), _range(row, ""), _range(row, "seeds_"))
        for row in found
    )
    caption = f"How well scores rank the tax at {phases.conditions['branches']} branches, sweep `{sweep}`"
    return Table(caption, header, rows, REMEDY, notes=_said_of_scores(found))


def by_branches(phases: Phases) -> Table:
    """Number of branches at evaluation × rank correlation of the headline score."""
    counts = sorted({row["branches"] for row in phases.by_branches})
    found = {(row["sweep"], row["branches"]): row for row in phases.by_branches}
    sweeps = list(dict.fromkeys(row["sweep"] for row in phases.by_branches))
    rows = tuple((str(count), *(_rho_with_range(found.get((sweep, count))) for sweep in sweeps)) for count in counts)
    caption = "Rank correlation of crowding with the tax, by number of branches at evaluation"
    return Table(caption, ("Branches", *(f"Sweep `{sweep}`" for sweep in sweeps)), rows, REMEDY)


def wider(phases: Phases) -> Table:
    """Head and ratio × least crowded placement and stride with each encoding."""
    header = (
        *("Head", "Ratio", "With `replace`", "Crowding", "Columns lost", "With `offset`", "Crowding"),
        "Pairs left to the context, %",
    )
    rows = tuple(
        row
        for head, group in groupby(phases.wider, key=lambda row: (row["head_size"], row["theta"]))
        for row in _wider_rows(f"{head[0]} dimensions, θ {head[1]:g}", list(group))
    )
    notes = (
        "Of settings within 0.01 nats the one with the shortest stride. The score knows only how surely a token of "
        "the own branch is found among those of siblings: that branch pairs see the context differently from every "
        "branch costs nothing here, nor does what a pretrained model must unlearn.",
    )
    caption = (
        f"Least crowded settings, {phases.conditions['branches']} branches of {phases.conditions['columns']} columns"
    )
    return Table(caption, header, rows, REMEDY, numeric=False, labels=2, notes=notes)


def _measured_row(row: Row) -> tuple[str, ...]:
    told, scores = row["measures"], row["scores"]
    alias = f"{told['alias_branches']} b {formats.signed(told['alias_columns'], 0)} c"
    return (
        f"`{row['label']}`",
        formats.fixed(1 - told["mean_branch_kernel"], KERNEL_DECIMALS),
        f"{_kernel(told['worst_branch_kernel'])} ({told['worst_branch_step']} b)",
        formats.fixed(told["neighbour_turn"], TURN_DECIMALS),
        formats.percent(told["column_sharpness"]),
        f"{_kernel(told['alias_kernel'])} ({alias})",
        str(told["collisions"]),
        *(formats.fixed(scores[name], TURN_DECIMALS) for name in ("columns_lost", "branches_crowded", HEADLINE)),
        _tax(row),
    )


def _tax(row: Row) -> str:
    mean, least, most = (formats.signed_nats(row[key]) for key in ("tax", "tax_least", "tax_most"))
    return f"{mean} ({least}…{most})"


def _said_of_scores(found: Sequence[Row]) -> tuple[str, ...]:
    if not found:
        return ()
    tried = (
        f"Spearman's ρ over {found[0]['settings']} settings, {found[0]['seeds']} seeds; intervals by bootstrap. None "
        f"of the {len(found)} scores is fitted to the tax; that plain RoPE be half sure was chosen for its meaning, "
        "and what other choices give is here, too. Several of the best differ by less than the intervals."
    )
    again = found[0]["repeatability"]
    repeated = f"One seed ranks the settings as the mean of the others does with ρ = {_rho(again)}: the most to expect."
    return (tried, repeated) if again is not None else (tried,)


def _wider_rows(head: str, rows: Sequence[Row]) -> list[tuple[str, ...]]:
    ratios = list(dict.fromkeys(row["ratio"] for row in rows if not row["default"] and row["ratio"] > 0))
    found = {(row["ratio"], row["encoding"]): row for row in rows if not row["default"]}
    best = [_wider_row(head, ratio, found.get((ratio, "replace")), found.get((ratio, "offset"))) for ratio in ratios]
    own = [_wider_row(head, row["ratio"], row, None) for row in rows if row["default"]]
    return [*best, *((*row[:1], f"{row[1]} (default)", *row[2:]) for row in own)]


def _wider_row(head: str, ratio: float, replaced: Row | None, shifted: Row | None) -> tuple[str, ...]:
    """A row of :func:`wider`; what does not exist is empty."""
    first = (_choice(replaced), _nats(replaced, HEADLINE), _nats(replaced, "columns_lost"))
    left = formats.share(1 - ratio)
    return (head, f"{ratio:g}", *first, _choice(shifted), _nats(shifted, HEADLINE), left)


def _choice(row: Row | None) -> str:
    return "" if row is None else f"{row['placement']}, stride {row['stride']}"


def _nats(row: Row | None, key: str) -> str:
    return "" if row is None else formats.fixed(row[key], KERNEL_DECIMALS)


def _kernel(value: float) -> str:
    return formats.fixed(value, KERNEL_DECIMALS)


def _rho(value: float) -> str:
    return formats.signed(value, RHO_DECIMALS)


def _range(row: Row, prefix: str) -> str:
    return f"{_rho(row[f'{prefix}low'])}…{_rho(row[f'{prefix}high'])}"


def _rho_with_range(row: Row | None) -> str:
    return "" if row is None else f"{_rho(row['rho'])} ({_range(row, '')})"
