"""Sweeps whose test questions are of several categories: a row a setting and method, a column a category."""

import re
from dataclasses import dataclass

from pmind.evaluation.intervals import Estimate
from pmind.evaluation.scores import HEADLINES
from pmind.reports import measures
from pmind.reports.ablation_tables import said_conditions, said_spread, score_cell
from pmind.reports.drawing import SERIES, canvas, panel, to_svg
from pmind.reports.sections import Figure
from pmind.reports.sweeps import REMEDY, Sweep, half_width
from pmind.reports.tables import Row, Table

ALL = "all"

_KEY = re.compile(rf"(?P<dataset>\w+)\.(?P<method>\w+)\.(?P<category>[^.]+)\.(?P<measure>{'|'.join(HEADLINES)})")


@dataclass(frozen=True)
class CategoryScores:
    """What a sweep tells of categories.

    Attributes:
        sweep: where from.
        dataset: first word of the keys.
        measure: the headline score.
        methods: ways of answering, in the order of the sweep's keys.
        categories: kinds of question, by name.
    """

    sweep: Sweep
    dataset: str
    measure: str
    methods: tuple[str, ...]
    categories: tuple[str, ...]

    def key(self, method: str, category: str) -> str:
        """Where the score of a category is found; that of all questions for :data:`ALL`."""
        kind = "" if category == ALL else f"{category}."
        return f"{self.dataset}.{method}.{kind}{self.measure}"

    def rows(self) -> list[tuple[str, str]]:
        """Label and method of each row: only those that were measured."""
        pairs = ((label, method) for label in self.sweep.labels() for method in self.methods)
        return [(label, method) for label, method in pairs if self.score(label, method, ALL) is not None]

    def score(self, label: str, method: str, category: str) -> Estimate | None:
        """Mean over seeds."""
        return self.sweep.mean(label, self.key(method, category))

    def named(self, label: str, method: str) -> str:
        """What tells a row from the others."""
        told = [label] * (len(self.sweep.labels()) > 1) + [method] * (len(self.methods) > 1)
        return ", ".join(told or [label])


def category_scores(sweep: Sweep) -> CategoryScores | None:
    """The headline scores by category; ``None`` where the sweep tells of none."""
    matches = [match for trial in sweep.trials for key in trial.metrics if (match := _KEY.fullmatch(key))]
    measure = next((name for name in HEADLINES for match in matches if match["measure"] == name), None)
    if measure is None:
        return None
    methods, categories = (
        tuple(dict.fromkeys(match[part] for match in matches if match["measure"] == measure))
        for part in ("method", "category")
    )
    return CategoryScores(sweep, matches[0]["dataset"], measure, methods, tuple(sorted(categories)))


def category_table(found: CategoryScores) -> Table:
    """Setting and method × category, means over seeds."""
    columns = (ALL, *found.categories)
    rows: tuple[Row, ...] = tuple(
        (
            *(f"`{label}`", f"`{method}`"),
            *(score_cell(found.sweep, found.key(method, column), label) for column in columns),
            str(len(found.sweep.labelled(label))),
        )
        for label, method in found.rows()
    )
    title = measures.title(found.measure).lower()
    header = ("Setting", "Method", *(f"{column}: {title}" for column in columns), "Seeds")
    notes = tuple(filter(None, (said_spread(found.sweep), said_conditions(found.sweep))))
    return Table(f"{found.sweep.title}: {title} by kind of question", header, rows, REMEDY, labels=2, notes=notes)


def category_figure(found: CategoryScores) -> Figure:
    """A panel a category, a row a setting and method, with intervals."""
    rows = found.rows()
    figure = canvas(len(found.categories) * (0.7 + 0.28 * len(rows)))
    title = measures.title(found.measure).lower()
    for number, category in enumerate(found.categories, start=1):
        axes = panel(figure, f"{category}: {title}", (len(found.categories), 1, number))
        scores = [found.score(label, method, category) for label, method in rows]
        shown = {at: score for at, score in enumerate(scores) if score is not None}
        axes.errorbar(
            [100 * score.value for score in shown.values()],
            list(shown),
            xerr=[100 * (half_width(score) or 0) for score in shown.values()],
            **{"fmt": "o", "color": SERIES[0], "markersize": 4.5, "elinewidth": 1.4},
        )
        axes.set_yticks(range(len(rows)), [found.named(*row) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(-2, 102)
    name = f"ablation_{found.sweep.name}_categories"
    svg = to_svg(figure, name, "Scores by setting and method, a panel a kind of question")
    return Figure(name, f"{found.sweep.title}: scores by kind of question, with 95 % intervals over seeds.", svg)
