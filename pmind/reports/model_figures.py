"""The figure of the models trained on real text."""

from collections.abc import Sequence

from pmind.reports.drawing import (
    QUIET,
    Look,
    branch_axis,
    canvas,
    difference_axis,
    draw,
    legend,
    legend_columns,
    numbered_look,
    panel,
    to_svg,
)
from pmind.reports.figures import LEGEND_ROW
from pmind.reports.model_tables import published_taxes
from pmind.reports.trained_models import TrainedModel

ORIGIN = "the method's origin"


def tax_figure(models: Sequence[TrainedModel]) -> str | None:
    """Parallel tax against branches, a line a model, beside the published one."""
    lines = {model.name: model.taxes() for model in models if model.taxes()}
    if not lines:
        return None
    columns = legend_columns([*lines, ORIGIN])
    figure = canvas(3.0 + LEGEND_ROW * -(-(len(lines) + 1) // columns))
    axes = panel(figure, "parallel tax, nats per token")
    for number, (name, line) in enumerate(lines.items()):
        draw(axes, name, line, numbered_look(number))
    draw(axes, ORIGIN, published_taxes(), Look(QUIET, "", ":"))
    drawn = [*lines.values(), published_taxes()]
    branch_axis(axes, (count for line in drawn for count in line), "branches at evaluation")
    difference_axis(axes, [tax for line in drawn for tax in line.values()])
    legend(figure, axes, columns)
    return to_svg(figure, "model_tax", "Parallel tax in nats per token, against branches")
