"""The harness's ``hf`` and our model on the same tasks: are the scores equal, and which is faster?"""

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import lm_eval
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.tasks import TaskManager

from pmind.harness.grouping import Work
from pmind.harness.model import PmindLM

KINDS = ("loglikelihood", "loglikelihood_rolling", "generate_until")
Asked = list[tuple[str, list[Instance]]]  # kind of request, requests
TaskSpecs = Sequence[str | dict[str, Any]]  # what simple_evaluate takes


@dataclass(frozen=True)
class Answered:
    """What the harness asked one model, what it said, and the scores it got for it."""

    asked: Asked
    answers: dict[str, list[Any]]
    scores: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Differences:
    """Where two models answer the same requests differently.

    Attributes:
        requests: compared.
        log_likelihood: the largest difference, in nats.
        greedy: continuations that only one of them holds greedy.
        texts: generated texts that differ.
        scores: names of scores that differ, ``task.metric``.
    """

    requests: int
    log_likelihood: float
    greedy: int
    texts: int
    scores: tuple[str, ...]

    def equal(self, tolerance: float) -> bool:
        """Whether log-likelihoods are within TOLERANCE and all else is the same."""
        return self.log_likelihood <= tolerance and not (self.greedy or self.texts or self.scores)


def compare(
    models: Mapping[str, TemplateLM],
    tasks: TaskSpecs,
    manager: TaskManager,
    *,
    repeats: int,
    tolerance: float,
    **options: Any,
) -> dict[str, Any]:
    """Evaluate all models once, then time how long each takes for the same requests.

    The evaluation warms a model up; the repeats go round the models, so that a machine that slows
    down does not favour one. What is timed is all that the harness leaves to a model: tokenisation,
    grouping or batching, and the passes.

    Args:
        models: the reference first; the last is compared with it.
        tasks: names, or configurations such as :func:`pmind.harness.exams.exam_group` makes.
        manager: knows the tasks.
        repeats: timed runs of each model.
        tolerance: of equal log-likelihoods, in nats.
        **options: of the harness's ``simple_evaluate``, such as ``num_fewshot`` and ``limit``.

    Returns:
        Scores, differences, seconds and ratios, as JSON takes them.
    """
    answered = {name: evaluate_once(lm, tasks, manager, **options) for name, lm in models.items()}
    reference, *_, ours = answered.values()
    found = differences(reference, ours)
    seconds = _time(models, reference.asked, repeats)
    medians = {name: statistics.median(each) for name, each in seconds.items()}
    *others, own = medians.values()
    return {
        "equal": found.equal(tolerance),
        "requests": {kind: len(requests) for kind, requests in reference.asked},
        "scores": {name: each.scores for name, each in answered.items()},
        "differences": asdict(found),
        "seconds": {name: {"median": medians[name], "all": each} for name, each in seconds.items()},
        "ratios": {name: median / own for name, median in medians.items()},
        "ratio_to_fastest": min(others) / own,
        "grouping": _grouping(list(models.values())[-1], reference.asked),
    }


def evaluate_once(lm: TemplateLM, tasks: TaskSpecs, manager: TaskManager, **options: Any) -> Answered:
    """Let the harness evaluate LM, and listen."""
    with _listening(lm) as (asked, answers):
        results = lm_eval.simple_evaluate(lm, tasks=list(tasks), task_manager=manager, bootstrap_iters=0, **options)
    scores = {
        task: {metric: value for metric, value in measured.items() if _is_score(metric, value)}
        for task, measured in results["results"].items()
    }
    return Answered(asked, answers, {task: measured for task, measured in scores.items() if measured})


def differences(reference: Answered, other: Answered) -> Differences:
    """Compare answers, request by request, and scores."""
    pairs = {kind: list(zip(answers, other.answers[kind], strict=True)) for kind, answers in reference.answers.items()}
    scored = pairs.get("loglikelihood", [])
    totals = [(a[0], b[0]) for a, b in scored] + pairs.get("loglikelihood_rolling", [])
    return Differences(
        requests=sum(map(len, pairs.values())),
        log_likelihood=max((abs(a - b) for a, b in totals), default=0.0),
        greedy=sum(a[1] != b[1] for a, b in scored),
        texts=sum(a != b for a, b in pairs.get("generate_until", [])),
        scores=tuple(
            f"{task}.{metric}"
            for task, measured in reference.scores.items()
            for metric, value in measured.items()
            if other.scores[task][metric] != value
        ),
    )


@contextmanager
def _listening(lm: TemplateLM) -> Iterator[tuple[Asked, dict[str, list[Any]]]]:
    """Note what is asked of LM, and what it answers."""
    asked: Asked = []
    answers: dict[str, list[Any]] = {}

    def listen(kind: str) -> None:
        answer = getattr(lm, kind)

        def heard(requests: list[Instance], **options: Any) -> list[Any]:
            asked.append((kind, requests))
            answers[kind] = answer(requests, **options)
            return answers[kind]

        setattr(lm, kind, heard)

    for kind in KINDS:
        listen(kind)
    try:
        yield asked, answers
    finally:
        for kind in KINDS:
            delattr(lm, kind)


def _time(models: Mapping[str, TemplateLM], asked: Asked, repeats: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(repeats):
        for name, lm in models.items():
            began = time.perf_counter()
            _answer(lm, asked)
            seconds[name].append(time.perf_counter() - began)
    return seconds


def _answer(lm: TemplateLM, asked: Asked) -> None:
    for kind, requests in asked:
        getattr(lm, kind)(requests, disable_tqdm=True)


def _grouping(lm: TemplateLM, asked: Asked) -> dict[str, float]:
    """What grouping saved in one run, and how many questions share a prefix on average."""
    if not isinstance(lm, PmindLM):
        return {}
    lm.work = Work()
    _answer(lm, asked)
    return asdict(lm.work) | {"prompts_per_context": lm.work.sharing / max(lm.work.contexts, 1)}


def _is_score(metric: str, value: object) -> bool:
    return isinstance(value, float) and "stderr" not in metric
