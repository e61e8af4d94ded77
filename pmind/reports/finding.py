"""The finding in three sentences, each made from the numbers or saying what would make it."""

from collections.abc import Iterable

from pmind.reports import formats
from pmind.reports.metrics import COMMANDS, Metrics
from pmind.reports.quality_tables import intervals
from pmind.reports.timings import OURS, RIVALS, speedup

TASKS = {  # dataset -> its headline measure, and how to say it
    "squad": ("em", "answers {share} of {n} reading questions word for word"),
    "cmb": ("accuracy", "picks the right option for {share} of {n} medical questions"),
}
RIVAL_NAMES = {
    "sequential": "`sequential`",
    "batch": "`batch`",
    "batch_cached": "`batch_cached`, which reads the context once, too",
}


def finding(metrics: Metrics) -> list[str]:
    """Sentences about quality, speed, and whether the model reads."""
    return [_quality(metrics), _speed(metrics), _reading(metrics)]


def _quality(metrics: Metrics) -> str:
    tasks = _tasks(metrics)
    if not tasks:
        return f"How good the answers are has not been measured: run `{COMMANDS['quality']}`."
    shares, differences = [], []
    for dataset, (measure, phrase) in tasks.items():
        estimate = metrics.interval(f"{dataset}.parallel.{measure}")
        shares.append(phrase.format(share=formats.percent(*estimate), n=_questions(metrics, dataset, measure)))
        differences.append(formats.points(*metrics.interval(f"{dataset}.parallel_minus_sequential.{measure}")))
    return (
        f"With all questions of a passage decoded in one pass the model {_join(shares)}; the paired difference to "
        f"asking them one at a time is {_join(differences)} points ({intervals(metrics)})."
    )


def _speed(metrics: Metrics) -> str:
    timings = metrics.timings()
    compared = {count for _, count in timings if any(speedup(timings, count, rival) for rival in RIVALS)}
    if not compared:
        return f"How fast it is has not been measured: run `{COMMANDS['benchmark']}`."
    most = max(compared)
    rate = formats.rate(timings[OURS, most]["tokens_per_s"])
    gains = {rival: speedup(timings, most, rival) for rival in RIVALS}
    clauses = [f"{formats.rate(gain)} times the rate of {RIVAL_NAMES[name]}" for name, gain in gains.items() if gain]
    asked = f"Asked {most} questions at once{_measured_on(metrics)}"
    return f"{asked}, `parallel` writes {rate} tokens per second: {_join(clauses)}."


def _measured_on(metrics: Metrics) -> str:
    """Context, model and processor as a clause."""
    known = metrics.files.get("benchmark_conditions", {})
    machine = "cpu" if known.get("device", "cpu") == "cpu" else "device"
    words = {"context_tokens": "about a context of {} tokens", "model": "with `{}`", machine: "on {}"}
    said = (text.format(formats.setting(known[key])) for key, text in words.items() if key in known)
    return "".join(f" {clause}" for clause in said)


def _reading(metrics: Metrics) -> str:
    clauses = [clause for clause in (_swapping(metrics), _branch_tax(metrics)) if clause]
    text = "; ".join(clauses) or f"whether it reads has not been measured: run `{COMMANDS['quality']}`"
    return f"{text[0].upper()}{text[1:]}."


def _swapping(metrics: Metrics) -> str | None:
    swapped, blind = [], []
    for dataset, (measure, _) in _tasks(metrics).items():
        value = metrics.number("quality", f"{dataset}.parallel.{measure}_swapped_context")
        if value is not None:
            swapped.append(formats.percent(value))
            blind.append(formats.percent(metrics.number("quality", f"{dataset}.chance.{measure}")))
    if not swapped:
        return None
    return (
        f"with the passages swapped for others it gets {_join(swapped)}, "
        f"where the best guess without any passage gets {_join(blind)}"
    )


def _branch_tax(metrics: Metrics) -> str | None:
    losses = metrics.losses()
    if 1 not in losses or len(losses) < 2:
        return None
    most = max(losses)
    change = formats.signed(losses[most] - losses[1], 3)
    return f"from 1 to {most} branches the validation loss moves by {change} nats per token"


def _tasks(metrics: Metrics) -> dict[str, tuple[str, str]]:
    return {
        dataset: (measure, phrase)
        for dataset, (measure, phrase) in TASKS.items()
        if metrics.number("quality", f"{dataset}.parallel.{measure}") is not None
    }


def _questions(metrics: Metrics, dataset: str, measure: str) -> str:
    count = "accuracy_n" if measure == "accuracy" else "n"
    return formats.fixed(metrics.number("quality", f"{dataset}.parallel.{count}"), 0)


def _join(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
