"""A diff of two prediction files as plain text: a table of measures, then the questions that differ."""

from collections.abc import Sequence

from pmind.evaluation.diff import Change, Diff, MeasureDiff
from pmind.evaluation.intervals import Estimate

SHOWN = 160  # characters of a question or an answer; --json has them whole
SMALLEST = 1e-4  # p-value that is still written out
COUNTS = ("won", "lost", "tied", "unpaired")


def format_diff(diff: Diff, limit: int | None = None) -> str:
    """Write what was compared, a line for every measure, and at most LIMIT changed questions."""
    shown = diff.changes[:limit]
    told = f"{diff.changed} of {diff.n} questions differ in words or scores"
    if 0 < len(shown) < diff.changed:
        told += f", {len(shown)} of them below"
    return "\n\n".join([_heading(diff), _table(diff), told, *map(_change, shown)]) + "\n"


def _heading(diff: Diff) -> str:
    sides = (("A", diff.first), ("B", diff.second))
    lines = [f"{letter}: {side.name} ({', '.join((*side.methods, *side.datasets))})" for letter, side in sides]
    lines.append(f"{diff.n} questions of {diff.documents} documents are in both")
    for letter, side in sides:
        if side.alone:
            lines.append(f"{len(side.alone)} only in {letter}, not compared: {_shortened(', '.join(side.alone))}")
    if diff.one_sided:
        lines.append(f"measured in one of them only: {', '.join(diff.one_sided)}")
    return "\n".join(lines)


def _table(diff: Diff) -> str:
    level = f"{diff.confidence * 100:g} %"
    header = ("measure", "n", "A", level, "B", level, "A − B", level, "p", "p (Holm)", *COUNTS)
    rows = [header, *map(_row, diff.measures)]
    if not any(measure.unpaired for measure in diff.measures):
        rows = [row[:-1] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _row(measure: MeasureDiff) -> tuple[str, ...]:
    compared = measure.comparison
    estimates = (*_estimate(measure.first), *_estimate(measure.second), *_estimate(compared.difference, "+"))
    counts = (compared.won, compared.lost, compared.tied, measure.unpaired)
    chances = (_chance(compared.p_value), _chance(measure.p_adjusted))
    return (measure.measure, str(compared.difference.n), *estimates, *chances, *map(str, counts))


def _estimate(estimate: Estimate, sign: str = "") -> tuple[str, str]:
    return f"{estimate.value:{sign}.4f}", f"[{estimate.low:{sign}.4f}, {estimate.high:{sign}.4f}]"


def _chance(p_value: float) -> str:
    return f"< {SMALLEST:.4f}" if p_value < SMALLEST else f"{p_value:.4f}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]).rstrip()


def _change(change: Change) -> str:
    first, second = change.first_scores, change.second_scores
    moved = [name for name in dict.fromkeys((*first, *second)) if first.get(name) != second.get(name)]
    scores = ", ".join(f"{name} {_number(first.get(name))} → {_number(second.get(name))}" for name in moved)
    parts = {
        "question": change.question,
        "expected": " | ".join(change.references) or "no answer",
        "A": change.first_text,
        "B": change.second_text,
    }
    lines = [f"  {name}: {_shortened(text)}" for name, text in parts.items()]
    return "\n".join([f"{change.question_id} ({change.document}): {scores or 'scored the same'}", *lines])


def _number(score: float | None) -> str:
    return "–" if score is None else f"{score:.4g}"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"
