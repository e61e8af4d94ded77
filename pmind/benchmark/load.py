"""A stream of groups: how long they wait and take at several rates of arrival.

First all groups come at once: that is what the engine can do. Then they come at random
(exponential gaps) at shares of that rate, as questions about documents come to a service.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from pmind.benchmark.rows import rounded
from pmind.benchmark.workload import Workload
from pmind.decoding.branches import GroupRequest
from pmind.decoding.decoder import ParallelDecoder
from pmind.decoding.options import GenerationOptions

DEADLINE = 3.0  # an answer is in time within so many times what one group takes alone
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True)
class Stream:
    """The groups that come in.

    Attributes:
        groups: how many.
        branches: questions of each.
        max_groups: most of them decoded at a time.
        shares: rates of arrival, as shares of what the engine can do.
    """

    groups: int
    branches: int
    max_groups: int
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Served:
    """When a group came, when it was taken up, and when its last answer was done, in seconds."""

    arrived: float
    started: float
    finished: float


def load_test(
    decoder: ParallelDecoder, work: Workload, stream: Stream, on_run: Callable[[], object] = lambda: None
) -> dict[str, float | int]:
    """Serve the stream at every rate.

    Args:
        decoder: the model.
        work: contexts are between half of ``context_tokens`` and all of it long.
        stream: how many groups come, and how fast.
        on_run: called after every rate.

    Returns:
        Flat metrics ``load.at_<percent>.<measure>``: queue time and latency in seconds, and
        questions a second answered in time (``DEADLINE`` times what a group takes alone).
    """
    requests = _requests(decoder, work, stream)
    _serve(decoder, work, requests[:1], [0.0], 1)  # starts threads
    [alone] = _serve(decoder, work, requests[:1], [0.0], 1)
    together = _serve(decoder, work, requests, [0.0] * len(requests), stream.max_groups)
    rate = len(requests) / max(served.finished for served in together)
    deadline = DEADLINE * (alone.finished - alone.started)
    on_run()
    metrics: dict[str, float | int] = {
        "load.groups": stream.groups,
        "load.branches": stream.branches,
        "load.max_groups": stream.max_groups,
        "load.deadline_s": deadline,
        "load.one_group_s": alone.finished - alone.started,
        "load.capacity_questions_per_s": rate * stream.branches,
    }
    for share in stream.shares:
        arrivals = _arrivals(len(requests), share * rate, work.seed)
        served = _serve(decoder, work, requests, arrivals, stream.max_groups)
        prefix = f"load.at_{round(100 * share)}"
        measures = _summary(served, stream.branches, deadline)
        metrics |= {f"{prefix}.{name}": value for name, value in measures.items()}
        on_run()
    return {name: rounded(value) for name, value in metrics.items()}


def _requests(decoder: ParallelDecoder, work: Workload, stream: Stream) -> list[GroupRequest]:
    draw = torch.Generator().manual_seed(work.seed)
    least = work.context_tokens // 2
    lengths = torch.randint(least, work.context_tokens + 1, (stream.groups,), generator=draw).tolist()
    works = [replace(work, context_tokens=length, seed=work.seed + group) for group, length in enumerate(lengths)]
    return [single.request(stream.branches, decoder.model.config.vocab_size) for single in works]


def _arrivals(groups: int, rate: float, seed: int) -> list[float]:
    """Seconds at which GROUPS come, RATE a second on average, the first at once."""
    gaps = np.random.default_rng(seed).exponential(1 / rate, groups - 1)
    return [0.0, *np.cumsum(gaps).tolist()]


def _serve(
    decoder: ParallelDecoder,
    work: Workload,
    requests: Sequence[GroupRequest],
    arrivals: Sequence[float],
    max_groups: int,
) -> list[Served]:
    """Decode groups as they come."""
    began = time.perf_counter()
    started: list[float] = []
    finished: dict[int, float] = {}

    def clock() -> float:
        return time.perf_counter() - began

    def come() -> Iterator[GroupRequest | None]:
        for request, arrival in zip(requests, arrivals, strict=True):
            while clock() < arrival:
                yield None
            started.append(clock())
            yield request

    options = GenerationOptions(max_new_tokens=work.answer_tokens, eos_token_id=())
    for event in decoder.stream_groups(come(), options, max_groups=max_groups):
        finished[event.group] = clock()
    return [
        Served(arrival, start, finished[group])
        for group, (arrival, start) in enumerate(zip(arrivals, started, strict=True))
    ]


def _summary(served: Sequence[Served], branches: int, deadline: float) -> dict[str, float]:
    waited = [group.started - group.arrived for group in served]
    took = [group.finished - group.arrived for group in served]
    span = max(group.finished for group in served)
    in_time = sum(latency <= deadline for latency in took)
    return {
        "arrivals_per_s": (len(served) - 1) / served[-1].arrived if len(served) > 1 else 0.0,
        "questions_per_s": len(served) * branches / span,
        "goodput_questions_per_s": in_time * branches / span,
        **{f"queue_p{p}_s": float(np.percentile(waited, p)) for p in PERCENTILES},
        **{f"latency_p{p}_s": float(np.percentile(took, p)) for p in PERCENTILES},
    }
