"""Two prediction files side by side: every measure's difference, and the questions that differ."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pmind.errors import DataError
from pmind.evaluation.comparison import Comparison, compare, holm
from pmind.evaluation.intervals import SCORE_BOUNDS, Bounds, Estimate, mean_interval
from pmind.evaluation.rows import AnswerRow, read_rows

Scores = Mapping[str, float]  # measure -> score
Score = Callable[[AnswerRow], Scores]  # leaves out the measures that a row has not
MeasureBounds = Mapping[str, Bounds]  # measure -> least and greatest score, where these are not 0 and 1

SAME = ("document", "scoring", "question", "references")  # what a question must have alike in both files


@dataclass(frozen=True)
class Side:
    """One of the two files: its name, its methods and datasets, and the questions that the other has not."""

    name: str
    methods: tuple[str, ...]
    datasets: tuple[str, ...]
    n: int
    alone: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """One question in both files."""

    first: AnswerRow
    second: AnswerRow
    first_scores: Scores
    second_scores: Scores

    def has(self, measure: str) -> bool:
        """Whether both rows have MEASURE."""
        return measure in self.first_scores and measure in self.second_scores


@dataclass(frozen=True)
class MeasureDiff:
    """One measure over the questions that have it in both files.

    Attributes:
        measure: its name.
        first: mean of A.
        second: mean of B.
        comparison: A − B on the same questions.
        p_adjusted: the p-value after Holm's adjustment for all measures of the diff.
        unpaired: questions left out because only one of the files has the measure for them.
    """

    measure: str
    first: Estimate
    second: Estimate
    comparison: Comparison
    p_adjusted: float
    unpaired: int


@dataclass(frozen=True)
class Change:
    """A question whose answers or scores differ."""

    question_id: str
    document: str
    question: str
    references: tuple[str, ...]
    first_text: str
    second_text: str
    first_scores: Scores
    second_scores: Scores


@dataclass(frozen=True)
class Diff:
    """What distinguishes file A from file B.

    Attributes:
        first: A.
        second: B.
        n: questions that are in both.
        documents: documents that these come from.
        measures: in the order in which the rows have them.
        one_sided: measures that no question has in both files.
        changed: number of questions whose answers or scores differ.
        changes: these, or the first of them: differing scores before differing words alone.
        confidence: level of the intervals.
    """

    first: Side
    second: Side
    n: int
    documents: int
    measures: tuple[MeasureDiff, ...]
    one_sided: tuple[str, ...]
    changed: int
    changes: tuple[Change, ...]
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON has it; an infinite end of an interval is null."""
        return _finite(asdict(self))


def run_diff(
    a: Path,
    b: Path,
    score: Score,
    limit: int | None = None,
    *,
    confidence: float = 0.95,
    common_only: bool = False,
    bounds: MeasureBounds | None = None,
) -> Diff:
    """Compare two prediction files.

    Args:
        a: rows of one method.
        b: rows of the other.
        score: all measures of one row.
        limit: most changes to keep, all when left out; their number is kept in any case.
        confidence: level of the intervals.
        common_only: compare the questions that both files have, instead of refusing others.
        bounds: least and greatest score of a measure, where these are not 0 and 1.

    Raises:
        DataError: a file cannot be read, or :func:`diff_rows` refuses the rows.
    """
    asked = {"confidence": confidence, "common_only": common_only, "bounds": bounds}
    diff = diff_rows(read_rows(a), read_rows(b), score, names=(str(a), str(b)), **asked)
    return replace(diff, changes=diff.changes[:limit])


def diff_rows(
    a: Sequence[AnswerRow],
    b: Sequence[AnswerRow],
    score: Score,
    *,
    names: tuple[str, str] = ("A", "B"),
    confidence: float = 0.95,
    common_only: bool = False,
    bounds: MeasureBounds | None = None,
) -> Diff:
    """Compare the rows of two methods; arguments as for :func:`run_diff`.

    Raises:
        DataError: a question is in one of them only, unless COMMON_ONLY; none is in both; a
            question is another one in B; or a score is out of bounds.
    """
    first, second = _side(names[0], a, b), _side(names[1], b, a)
    _check_common(first, second, common_only)
    pairs = _pairs(a, b, first, second, score)
    measures = list(dict.fromkeys(name for pair in pairs for name in (*pair.first_scores, *pair.second_scores)))
    paired = [name for name in measures if any(pair.has(name) for pair in pairs)]
    changes = _changes(pairs)
    return Diff(
        first=first,
        second=second,
        n=len(pairs),
        documents=len({pair.first.document for pair in pairs}),
        measures=_adjusted([_measure(name, pairs, confidence, bounds or {}) for name in paired]),
        one_sided=tuple(name for name in measures if name not in paired),
        changed=len(changes),
        changes=changes,
        confidence=confidence,
    )


def _side(name: str, rows: Sequence[AnswerRow], others: Sequence[AnswerRow]) -> Side:
    known = {row.question_id for row in others}
    return Side(
        name=name,
        methods=tuple(sorted({row.method for row in rows})),
        datasets=tuple(sorted({row.dataset for row in rows})),
        n=len(rows),
        alone=tuple(row.question_id for row in rows if row.question_id not in known),
    )


def _check_common(first: Side, second: Side, common_only: bool) -> None:
    common = first.n - len(first.alone)
    if not common:
        raise DataError(f"{first.name} and {second.name} have no question in common. Compare two files of one dataset")
    if common_only:
        return
    sides = [side for side in (first, second) if side.alone]
    if sides:
        alone = " and ".join(f"{len(side.alone)} only in {side.name} ('{side.alone[0]}' for one)" for side in sides)
        raise DataError(
            f"{common} questions are in both files, but {alone}. Decode the same questions, or compare those in "
            "both with --common-only"
        )


def _pairs(a: Sequence[AnswerRow], b: Sequence[AnswerRow], first: Side, second: Side, score: Score) -> list[Pair]:
    others = {row.question_id: row for row in b}
    pairs = []
    for row in (row for row in a if row.question_id in others):
        other = others[row.question_id]
        different = [name for name in SAME if getattr(row, name) != getattr(other, name)]
        if different:
            raise DataError(
                f"question '{row.question_id}' has another {' and another '.join(different)} in {first.name} than in "
                f"{second.name}. Compare answers to the same questions"
            )
        pairs.append(Pair(row, other, dict(score(row)), dict(score(other))))
    return pairs


def _measure(name: str, pairs: Sequence[Pair], confidence: float, bounds: MeasureBounds) -> MeasureDiff:
    low, high = bounds.get(name, SCORE_BOUNDS)
    both = [pair for pair in pairs if pair.has(name)]
    first = {pair.first.question_id: pair.first_scores[name] for pair in both}
    second = {pair.first.question_id: pair.second_scores[name] for pair in both}
    documents = {pair.first.question_id: pair.first.document for pair in both}
    means = [
        mean_interval(list(scores.values()), list(documents.values()), confidence, (low, high))
        for scores in (first, second)
    ]
    comparison = compare(first, second, documents, confidence, (low - high, high - low))
    either = sum(name in pair.first_scores or name in pair.second_scores for pair in pairs)
    return MeasureDiff(name, *means, comparison, comparison.p_value, either - len(both))


def _adjusted(measures: Sequence[MeasureDiff]) -> tuple[MeasureDiff, ...]:
    values = holm([measure.comparison.p_value for measure in measures])
    return tuple(replace(measure, p_adjusted=value) for measure, value in zip(measures, values, strict=True))


def _changes(pairs: Sequence[Pair]) -> tuple[Change, ...]:
    changed = [pair for pair in pairs if pair.first.text != pair.second.text or pair.first_scores != pair.second_scores]
    changed.sort(key=lambda pair: pair.first_scores == pair.second_scores)  # stable: scores first, then in A's order
    return tuple(_change(pair) for pair in changed)


def _change(pair: Pair) -> Change:
    row = pair.first
    return Change(
        question_id=row.question_id,
        document=row.document,
        question=row.question,
        references=row.references,
        first_text=row.text,
        second_text=pair.second.text,
        first_scores=pair.first_scores,
        second_scores=pair.second_scores,
    )


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
