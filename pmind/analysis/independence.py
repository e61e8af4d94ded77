"""How much a branch's answers depend on its siblings, over kinds of change, branches and distance.

A case changes the siblings of one branch. Measured are the relative entropy KL(before ‖ after) of
what is expected at each of the branch's answer tokens, its accepted answer at hand; whether its
greedy answer changes, siblings decoding beside it; and whether that answer is right. Isolated
branches under ``own`` show zero to rounding.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from scipy.stats import spearmanr

from pmind.analysis.sibling_cases import Case, CaseMaker
from pmind.analysis.sibling_changes import CHANGES
from pmind.analysis.sibling_effects import Effect, Meter
from pmind.errors import DataError
from pmind.evaluation.intervals import mean_interval, paired_difference
from pmind.evaluation.text_match import exact_match

OVER_BRANCHES = ("changed", "removed", "planted", "answered")
OVER_DISTANCE = ("changed", "planted", "answered")
NEIGHBOURS = 8  # distances up to this one are all tried, then doubles
FEW = 3  # cases, below which no correlation is told
DECIMALS = 6
MOST_POINTS = 300

Measured = tuple[Case, Effect]


def independence(maker: CaseMaker, meter: Meter, branches: Sequence[int], *, title: str = "") -> dict[str, Any]:
    """All of it: kinds of change, a curve over branches and one over distance, and attention against effect.

    Args:
        maker: of the cases.
        meter: of their effects.
        branches: numbers of questions to take of a group; 1 has no siblings and is left out.
        title: heads the progress bars; none without.

    Returns:
        JSON-ready. Lists of rows, see :func:`summarise`: ``by_branches``; ``changes`` and ``by_distance`` at the most
        branches of which there are at least half as many cases as of the fewest. And ``mass``: ``points`` of
        (attention on a sibling, KL when that one is changed), evenly thinned, the rank correlation ``spearman`` of
        all of them and its ``p_value``, ``None`` where there is no spread.

    Raises:
        DataError: no group has two questions of those numbers.
    """
    counts = sorted({count for count in branches if count > 1})
    over_branches = [case for count in counts for case in maker.cases(OVER_BRANCHES, count)]
    if not over_branches:
        raise DataError(f"no group has one of {list(branches)} questions with siblings; lower analyze.branches")
    most = _usual(over_branches)
    others = list(maker.cases([kind for kind in CHANGES if kind not in OVER_BRANCHES], most))
    over_distance = [case for distance in distances(most) for case in maker.cases(OVER_DISTANCE, most, distance)]
    cases = [*over_branches, *others, *over_distance]
    measured = list(zip(cases, meter.measure(cases, title), strict=True))
    whole = [pair for pair in measured if pair[0].distance is None]
    apart = [pair for pair in measured if pair[0].distance is not None]
    return {
        "changes": summarise([pair for pair in whole if pair[0].branches == most]),
        "by_branches": summarise([pair for pair in whole if pair[0].kind in OVER_BRANCHES]),
        "by_distance": summarise(apart),
        "mass": _mass([pair for pair in apart if pair[0].kind == "changed"], meter),
    }


def _usual(cases: Sequence[Case]) -> int:
    """The most branches that enough groups have for a table."""
    counts = Counter(case.branches for case in cases)
    return max(count for count, found in counts.items() if 2 * found >= counts[min(counts)])


def distances(branches: int) -> list[int]:
    """Distances between branch numbers that are tried.

    Example:
        >>> distances(4), distances(40)
        ([1, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 16, 32])
    """
    near = list(range(1, min(branches - 1, NEIGHBOURS) + 1))
    far = 2 * NEIGHBOURS
    while far < branches:
        near.append(far)
        far *= 2
    return near


def summarise(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """One row for each kind, number of branches and distance, in the order in which they first occur.

    Returns:
        Rows with ``kind``, ``branches``, ``distance``, ``cases``; ``kl`` and ``kl_max`` in nats a token;
        ``moved``, the share of cases in which the branch stands in other columns, and ``kl_still``, ``kl`` of
        the rest; ``likeliest_changed``, the share in which some answer token's likeliest successor changed; of
        decoded kinds ``answers_changed`` with ``…_low`` and ``…_high``, ``em_before``, ``em_after``, ``em_change``
        with its ends, and of planted ones ``adopted``, the share that answers what was planted. Intervals are
        of 95 %, clustered by document.
    """
    rows: dict[tuple[str, int, int | None], list[Measured]] = {}
    for case, effect in measured:
        rows.setdefault((case.kind, case.branches, case.distance), []).append((case, effect))
    return [
        {"kind": kind, "branches": count, "distance": distance, **_logits(pairs), **_spoken(pairs)}
        for (kind, count, distance), pairs in rows.items()
    ]


def _logits(pairs: Sequence[Measured]) -> dict[str, Any]:
    effects = [effect for _, effect in pairs]
    still = [effect.kl for effect in effects if not effect.moved]
    return {
        "cases": len(effects),
        "kl": _mean([effect.kl for effect in effects]),
        "kl_max": max(effect.kl_max for effect in effects),
        "kl_still": _mean(still) if still else None,
        "moved": _mean([effect.moved for effect in effects]),
        "likeliest_changed": _mean([effect.likeliest for effect in effects]),
    }


def _spoken(pairs: Sequence[Measured]) -> dict[str, Any]:
    decoded = [(case, effect.answers) for case, effect in pairs if effect.answers]
    if not decoded:
        return {}
    documents = {case.question.id: case.document for case, _ in decoded}
    scores = [
        {case.question.id: exact_match(answers[side], case.question.answers) for case, answers in decoded}
        for side in (0, 1)
    ]
    changed = mean_interval([float(a != b) for _, (a, b) in decoded], [case.document for case, _ in decoded])
    change = paired_difference(scores[1], scores[0], documents)
    found = {
        "answers_changed": changed.value,
        "answers_changed_low": changed.low,
        "answers_changed_high": changed.high,
        "em_before": _mean(scores[0].values()),
        "em_after": _mean(scores[1].values()),
        "em_change": change.value,
        "em_change_low": change.low,
        "em_change_high": change.high,
    }
    lured = [exact_match(answers[1], [case.wrong]) for case, answers in decoded if case.wrong]
    return {name: round(value, DECIMALS) for name, value in found.items()} | (
        {"adopted": _mean(lured)} if lured else {}
    )


def _mass(pairs: Sequence[Measured], meter: Meter) -> dict[str, Any]:
    """Attention on the one sibling that changed, against what the change did."""
    masses = meter.masses([case for case, _ in pairs])
    points = [[round(mass, DECIMALS), effect.kl] for mass, (_, effect) in zip(masses, pairs, strict=True)]
    flat = len(points) < FEW or any(len(set(axis)) < 2 for axis in zip(*points, strict=True))
    found = None if flat else spearmanr(*zip(*points, strict=True))
    return {
        "points": points[:: -(-len(points) // MOST_POINTS) or 1],
        "spearman": None if found is None else round(float(found.statistic), DECIMALS),
        "p_value": None if found is None else float(found.pvalue),
    }


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)
