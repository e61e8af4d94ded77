"""Sections about training: models on real text, what a step costs, the ablations."""

from pmind.reports import ablation_figures, ablation_tables, model_figures, model_tables, origin_tables
from pmind.reports.category_scores import category_figure, category_scores, category_table
from pmind.reports.metrics import Metrics
from pmind.reports.phase_sections import phase_section
from pmind.reports.sections import Figure, Section
from pmind.reports.sweeps import Sweep
from pmind.reports.timings import in_order

FIRST = ("ratio", "placement", "encoding", "stride", "grid", "branches")  # sweeps; the others follow by name


def training_sections(metrics: Metrics) -> list[Section]:
    """Sections of what was measured beyond the pipeline, and the ablations in any case."""
    by_name = {sweep.name: sweep for sweep in metrics.sweeps}
    sweeps = [_sweep(by_name[name]) for name in in_order(set(by_name), FIRST)]
    return [*_models(metrics), *_costs(metrics), _ablations(metrics), *sweeps, *phase_section(metrics.phases)]


def _models(metrics: Metrics) -> list[Section]:
    if not metrics.models:
        return []
    text = (
        "Models trained by hand, each with the command below its table; their weights are not kept. The parallel tax "
        "is the loss at so many branches minus the loss at one branch of a model trained as long on single branches."
    )
    found = tuple(
        table for model in metrics.models for table in (model_tables.losses(model), *model_tables.scores(model))
    )
    svg = model_figures.tax_figure(metrics.models)
    caption = "Parallel tax by number of branches, beside what the method's origin published for a text of its own."
    return [Section("Models trained on real text", (text,), found, (Figure("model_tax", caption, svg),) if svg else ())]


def _costs(metrics: Metrics) -> list[Section]:
    text = (
        "Time of a forward and backward pass on rows of equal length, by `pmind benchmark-training`. `dense` is the "
        "reference that looks at all pairs of tokens."
    )
    found = tuple(map(model_tables.training_cost, metrics.training_costs))
    return [Section("Cost of columnar training", (text,), found)] if found else []


def _ablations(metrics: Metrics) -> Section:
    text = (
        "One setting varied, the rest as in `params.yaml` and the preset under each table, every model trained anew "
        "for every seed: `make ablations`. "
        "The two tables here are laid out as the origin's; the sections below have a table and a figure a sweep."
    )
    return Section("Ablations", (text,), (origin_tables.ratios(metrics), origin_tables.scaling(metrics)))


def _sweep(sweep: Sweep) -> Section:
    if by_category := category_scores(sweep):
        return Section(f"Ablation: {sweep.title}", (), (category_table(by_category),), (category_figure(by_category),))
    drawn = (ablation_figures.sweep_figure(sweep), ablation_figures.scores_figure(sweep))
    return Section(f"Ablation: {sweep.title}", (), (ablation_tables.sweep_table(sweep),), tuple(filter(None, drawn)))
