"""The origin's Tables 2 and 3: the share of pairs that carry the branch, and scaling with branches."""

from collections.abc import Collection, Mapping, Sequence

from pmind.evaluation.scores import HEADLINES
from pmind.reports import formats, measures
from pmind.reports.ablation_tables import (
    loss_cell,
    nats_cell,
    said_conditions,
    said_spread,
    score_cell,
    scores,
)
from pmind.reports.evaluation_notes import conditions as evaluation_conditions
from pmind.reports.evaluation_runs import REFERENCE, EvaluationRun
from pmind.reports.evaluation_tables import remedy
from pmind.reports.formats import MISSING, Value
from pmind.reports.metrics import Metrics
from pmind.reports.speed_tables import conditions, times
from pmind.reports.sweeps import REMEDY, Sweep
from pmind.reports.tables import Row, Table, run
from pmind.reports.timings import OURS, Timings, speedup

RATIO = "rope_2d_ratio"
RATIOS = "ratio"  # the sweep of Table 2
BRANCHES = 4  # at which it compares
PRETRAINED, FINETUNED = "Pre-trained", "Fine-tuned"
LOSSES = (
    f"Loss of a pre-trained model is that of held-out texts at {BRANCHES} branches, of a fine-tuned one that of the "
    "answers at the end of training; scores are of test questions, all of a group answered in one pass."
)
SCORED_AS = (*HEADLINES, "pass_at_1", "f1")  # the first of these that a run has


def ratios(metrics: Metrics) -> Table:
    """Training × share of pairs that carry the branch: loss, and scores of answers given in one pass."""
    sweep = metrics.sweep(RATIOS)
    caption = "Share of the pairs that carry the branch"
    if sweep is None:
        return Table(caption, (), (), REMEDY)
    titles = {key: title for key, title in scores(sweep).items() if f".{OURS}." in key}
    datasets = list(dict.fromkeys(key.split(".")[0] for key in titles)) or [""]
    rows = (*_ratio_rows(sweep, titles), *(row for dataset in datasets for row in _tuned_rows(sweep, dataset, titles)))
    header = ("Training", RATIO, "Nats per token", *titles.values())
    below = tuple(filter(None, (LOSSES, said_spread(sweep), said_conditions(sweep))))
    return Table(caption, header, rows, REMEDY, labels=2, notes=below)


def scaling(metrics: Metrics) -> Table:
    """Training × number of branches: throughput, speed-up over asking one at a time, loss, score."""
    told = [telling for runs in _by_model(metrics.evaluations).values() if (telling := _telling(runs))]
    rows = (*_pretrained_rows(metrics), *(row for chosen in told for row in _finetuned_rows(chosen)))
    header = ("Training", "Branches", "Tokens/s", f"× {REFERENCE}", "Nats per token", "Score, %")
    caption = "Scaling with the number of branches"
    return Table(caption, header, rows, f"{run('benchmark', 'loss')}", notes=_scaling_notes(metrics, told))


def _ratio_rows(sweep: Sweep, titles: Collection[str]) -> list[Row]:
    """The models before they were asked anything."""
    training = f"{PRETRAINED}{_model(sweep)}"
    return [
        (training, formats.setting(share), loss_cell(sweep, BRANCHES, label) or MISSING, *("" for _ in titles))
        for label, share in _shares(sweep).items()
    ]


def _tuned_rows(sweep: Sweep, dataset: str, titles: Collection[str]) -> list[Row]:
    """The same models fine-tuned on DATASET; what was not made is missing, the scores of other datasets are empty."""
    training = f"{FINETUNED}{_model(sweep)}{f' on `{dataset}`' if dataset else ''}"
    asked = [(key, key.startswith(f"{dataset}.")) for key in titles]
    return [
        (
            *(training, formats.setting(share)),
            nats_cell(sweep, f"{dataset}.finetune.loss", label) or MISSING,
            *((score_cell(sweep, key, label) or MISSING) if own else "" for key, own in asked),
        )
        for label, share in _shares(sweep).items()
    ]


def _model(sweep: Sweep) -> str:
    return f" `{sweep.conditions['model']}`" if "model" in sweep.conditions else ""


def _shares(sweep: Sweep) -> dict[str, Value]:
    """The ratio by label, of those that set one."""
    return {
        trial.label: trial.setting[RATIO] for trial in sweep.trials if RATIO in trial.setting and not trial.baseline
    }


def _pretrained_rows(metrics: Metrics) -> list[Row]:
    """Every model whose loss is known by number of branches, with the throughput if that was timed of its shape."""
    shape = _pipeline_model(metrics)
    known = [(model.name, model.conditions.get("base_model"), model.losses()) for model in metrics.models]
    known.append((f"`{shape}`", shape, metrics.losses()))
    timed = _timed_model(metrics)
    rows = [
        row
        for name, base, losses in known
        for row in _scaling_rows(f"{PRETRAINED} {name}", losses, metrics.timings() if timed == base else {})
    ]
    if timed and all(timed != base for _, base, _ in known):
        rows += _scaling_rows(f"`{timed}`, random weights", {}, metrics.timings())
    return rows


def _scaling_rows(training: str, losses: Mapping[int, float], timings: Timings) -> list[Row]:
    counts = {count for method, count in timings if method == OURS} | set(losses)
    return [
        (
            *(training, str(count)),
            formats.or_empty(formats.rate, timings.get((OURS, count), {}).get("tokens_per_s")),
            formats.or_empty(times, speedup(timings, count, REFERENCE)),
            formats.or_empty(formats.nats, losses.get(count)),
            "",
        )
        for count in sorted(counts)
    ]


def _finetuned_rows(chosen: EvaluationRun) -> list[Row]:
    """Asking one question at a time as one branch, then parallel by number of branches."""
    measure = _headline(chosen)
    cells = [cell for cell in chosen.rows if cell[0] in (REFERENCE, OURS)]
    return [
        (
            *(f"{FINETUNED} `{chosen.model}` on `{chosen.dataset}`", str(count)),
            formats.or_empty(formats.rate, chosen.number((method, count), "tokens_per_s")),
            times(1.0) if method == REFERENCE else formats.or_empty(times, chosen.number((method, count), "speedup")),
            "",
            measures.score(measure, *chosen.interval((method, count), measure)),
        )
        for method, count in sorted(cells, key=lambda cell: (cell[0] == OURS, cell[1]))
    ]


def _scaling_notes(metrics: Metrics, told: Sequence[EvaluationRun]) -> tuple[str, ...]:
    benchmark = conditions(metrics.files.get("benchmark_conditions", {}))
    timed = [f"Tokens per second of pre-trained models and random weights: {benchmark}."] if benchmark else []
    empty = (
        "Throughput depends on a model's shape, not on its weights. It is empty for shapes that were not timed: "
        "set `benchmark.model` in `params.yaml`. Scores are of models that have learnt to answer columnar groups, of "
        f"each on the dataset it answers best: {remedy('DATASET')} for another."
    )
    scored = [
        f"Score of `{chosen.model}`: {measures.name(_headline(chosen)).lower()}. {evaluation_conditions(chosen)}"
        for chosen in told
    ]
    trained = [f"{model.name}: `metrics/{model.file}`." for model in metrics.models]
    return (*timed, *trained, *scored, empty)


def _by_model(runs: Sequence[EvaluationRun]) -> dict[str, list[EvaluationRun]]:
    """Runs of models that were trained for columnar groups and asked as they were trained."""
    found: dict[str, list[EvaluationRun]] = {}
    for chosen in runs:
        if chosen.conditions.get("visibility") == "columnar" and chosen.conditions.get("own_prompts") is True:
            found.setdefault(chosen.model, []).append(chosen)
    return found


def _telling(runs: Sequence[EvaluationRun]) -> EvaluationRun | None:
    """The run answered best one question at a time: where a model knows nothing, branches have nothing to take."""
    scored = {chosen.file: chosen.number((REFERENCE, 1), _headline(chosen)) for chosen in runs if _headline(chosen)}
    known = [chosen for chosen in runs if scored.get(chosen.file) is not None]
    return max(known, key=lambda chosen: scored[chosen.file], default=None)


def _headline(chosen: EvaluationRun) -> str:
    """The measure by which a run is judged, empty if it has none of them."""
    found = chosen.measures()
    return next((measure for measure in SCORED_AS if measure in found), "")


def _pipeline_model(metrics: Metrics) -> str:
    return str(metrics.files.get("settings", {}).get("base_model", "the pipeline's model"))


def _timed_model(metrics: Metrics) -> str:
    return str(metrics.files.get("benchmark_conditions", {}).get("model", ""))
