"""Tables of training beyond the pipeline: models trained on real text, and what a step costs."""

import math
from collections.abc import Callable, Mapping, Sequence

from pmind.reports import formats, measures
from pmind.reports.speed_tables import conditions
from pmind.reports.tables import Row, Table
from pmind.reports.trained_models import COMMAND, TrainedModel
from pmind.reports.training_costs import COMMAND as COST_COMMAND
from pmind.reports.training_costs import TRAINING_COST, TrainingCost

REMEDY = f"run {COMMAND}"
PAIR = "parallel_minus_sequential"
SHOWN = (1, 4, 16, 32)  # branches, of the compact table
PUBLISHED = {1: 2.600, 4: 2.585, 8: 2.581, 16: 2.589, 32: 2.634}  # the origin's best model: eval loss by branches
PUBLISHED_SINGLE = 2.4375  # of its 26 M-parameter model trained on one branch

COST_REMEDY = f"run `{COST_COMMAND.format(f'metrics/{TRAINING_COST}/NAME.json')}`"
COST = {  # key -> title, and how to write the number
    "branches": ("Branches", formats.setting),
    "seconds": ("Forward and backward", formats.seconds),
    "tokens_per_s": ("Tokens/s", formats.rate),
    "ratio": ("× causal", lambda ratio: f"{formats.fixed(ratio, 2)} ×"),
    "peak_share": ("Of the peak, %", formats.share),
}
COST_LENGTHS = {"rows": "rows", "tokens": "tokens a row", "labels": "labels", "repeats": "rounds"}
COST_NOTE = (
    "`causal` is the stock model on one text a row; the others cut the same row into branches. `× causal` is the "
    "median over rounds of the time over that of `causal` in the same round, at equal tokens and labels."
)


def published_taxes() -> dict[int, float]:
    """Parallel tax that the method's origin published, by number of branches, on a text of its own."""
    return {branches: loss - PUBLISHED_SINGLE for branches, loss in PUBLISHED.items()}


def losses(model: TrainedModel) -> Table:
    """Loss, perplexity and tax by number of branches, beside the origin's tax and the single-branch model."""
    taxes, published, single = model.taxes(), published_taxes(), model.single()
    rows = tuple(
        (
            str(branches),
            formats.nats(loss),
            formats.fixed(math.exp(loss), 3),
            formats.signed_nats(taxes.get(branches)),
            formats.or_empty(formats.nats, single.get(branches)),
            formats.or_empty(formats.signed_nats, published.get(branches)),
        )
        for branches, loss in model.losses().items()
    )
    header = ("Branches", "Nats per token", "Perplexity", "Tax", "Single-branch model", "The origin's tax")
    return Table(f"Validation loss of {model.name}", header, rows, REMEDY, notes=notes(model))


def scores(model: TrainedModel) -> tuple[Table, ...]:
    """Dataset × method × score, with the paired difference; no table without scores."""
    scored = model.scored()
    shown = list(dict.fromkeys(name for by in scored.values() for names in by.values() for name in names))
    rows = tuple(
        (f"`{dataset}`", *row) for dataset, methods in scored.items() for row in _rows(model, dataset, methods, shown)
    )
    if not rows:
        return ()
    header = ("Dataset", "Method", *map(measures.title, shown))
    caption = f"Scores of {model.name} after fine-tuning"
    return (Table(caption, header, rows, REMEDY, labels=2, notes=(sentence(model),)),)


def compact_models(models: Sequence[TrainedModel]) -> Table:
    """One row a model: loss at few numbers of branches, tax at 16."""
    rows = tuple(
        (
            model.name,
            *(formats.or_empty(formats.nats, model.losses().get(count)) for count in SHOWN),
            formats.or_empty(formats.signed_nats, model.taxes().get(16)),
        )
        for model in models
        if model.losses()
    )
    header = ("Model", *(f"Loss at {count}" for count in SHOWN), "Tax at 16")
    below = tuple(f"{model.name}: {sentence(model)}" for model in models)
    caption = "Models trained on real text, loss in nats per token by number of branches"
    return Table(caption, header, rows, REMEDY, notes=below)


def notes(model: TrainedModel) -> tuple[str, ...]:
    """What a tax is and how the model was made."""
    tax = (
        "Tax: loss at so many branches minus the loss at one branch of a model trained as long on single branches. "
        "The origin's is of a text of its own: compare the tax, not the losses."
    )
    return (tax, sentence(model)) if model.taxes() else (sentence(model),)


def sentence(model: TrainedModel) -> str:
    """Conditions, command and file."""
    return f"{formats.listed(model.conditions)}; `{model.command}`; `metrics/{model.file}`."


def training_cost(cost: TrainingCost) -> Table:
    """Ways of attending × branches: time of a batch, and how many times that of causal training it is."""
    rows = tuple(
        (f"`{way}`", *(formats.or_empty(write, values.get(key)) for key, (_, write) in COST.items()))
        for way, values in cost.rows
    )
    header = ("Way", *(title for title, _ in COST.values()))
    told = cost.conditions
    rows_of = f", rows of {formats.setting(told['tokens'])} tokens" if "tokens" in told else ""
    caption = f"Cost of columnar training against ordinary causal training: {conditions(told)}{rows_of}"
    lengths = ", ".join(f"{formats.setting(told[key])} {words}" for key, words in COST_LENGTHS.items() if key in told)
    batch = f"A batch: {lengths or 'lengths not recorded'}; `metrics/{cost.file}`."
    return Table(caption, header, rows, COST_REMEDY, notes=(COST_NOTE, batch))


def _rows(model: TrainedModel, dataset: str, methods: Mapping[str, list[str]], shown: Sequence[str]) -> list[Row]:
    rows = [(method, *_cells(model, f"{dataset}.{method}", shown, formats.share)) for method in methods]
    pair = _cells(model, f"{dataset}.{PAIR}", shown, formats.points)
    return [*rows, ("parallel − sequential", *pair)] if any(pair) else rows


def _cells(model: TrainedModel, start: str, shown: Sequence[str], write: Callable[..., str]) -> Row:
    """Scores with their intervals; empty where one was not measured."""
    known = (model.interval(f"{start}.{name}") for name in shown)
    return tuple("" if estimate[0] is None else write(*estimate) for estimate in known)
