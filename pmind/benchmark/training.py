"""What the branches cost in training: time of a forward and backward pass beside ordinary causal training.

All ways learn from the same rows of tokens, the same number of labels of each, and by the same
code but for the model's positions and mask; the optimizer, which is the same for all, is left out::

    causal      one text of T tokens, the stock model, torch's causal attention
    columnar    the row cut into N texts side by side, each reads what stands in earlier columns
    isolated    the same, each reads itself
    dense       columnar by the reference, which looks at all T x T pairs
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median

import torch
from torch import Tensor
from tqdm import tqdm
from transformers import AutoConfig, PretrainedConfig, PreTrainedModel

from pmind.benchmark.conditions import Conditions, describe_machine, describe_model
from pmind.benchmark.models import model_folder
from pmind.errors import TrainingError
from pmind.hardware import measure_peak, wait_for
from pmind.models.loading import DTYPES, load_stock
from pmind.models.settings import Settings
from pmind.models.wiring import wire
from pmind.training.batches import NO_LABEL, Collator, Sample, TrainingBatch
from pmind.training.flops import count_flops
from pmind.training.loss import label_loss, summed_loss
from pmind.visibility import VISIBILITIES

WAYS = ("causal", "columnar", "isolated", "dense")
SETTINGS = Settings(rope_2d_ratio=0.25, alignment="right", visibility="columnar")
WayKey = tuple[str, int]  # way, number of branches


@dataclass(frozen=True)
class TrainingPlan:
    """What is measured, and how.

    Attributes:
        model: a folder, a Hub id, or a preset whose weights are random.
        ways: names from :data:`WAYS`; ``causal`` is timed in any case.
        branches: numbers of texts that a row is cut into.
        tokens: of a row.
        rows: of a batch.
        dtype: ``float32``, or ``bfloat16`` by autocast over float32 weights.
        device: as torch names it.
        threads: CPU threads.
        repeats: timed rounds, after one warm-up.
        seed: of random tokens and random weights.
    """

    model: str
    ways: tuple[str, ...]
    branches: tuple[int, ...]
    tokens: int = 1024
    rows: int = 4
    dtype: str = "float32"
    device: str = "cpu"
    threads: int = 2
    repeats: int = 5
    seed: int = 1


@dataclass(frozen=True)
class TrainingRow:
    """One way at one number of branches.

    Attributes:
        way: name from :data:`WAYS`.
        branches: texts in a row.
        seconds: median of a forward and backward pass.
        tokens_per_s: tokens of the batch over that.
        ratio: median over rounds of the time over that of ``causal`` in the same round.
        peak_share: least time that causal training's operations take at the machine's peak, over that.
    """

    way: str
    branches: int
    seconds: float
    tokens_per_s: float
    ratio: float
    peak_share: float


@dataclass(frozen=True)
class TrainingResult:
    """Rows, and the machine, versions, model and lengths that they hold for."""

    rows: list[TrainingRow]
    conditions: dict[str, str | int | float]


def benchmark_training(plan: TrainingPlan) -> TrainingResult:
    """Time every way at every number of branches, interleaved in rounds.

    Raises:
        TrainingError: nothing to measure, an unknown way or dtype, or more branches than fit a row.
        ModelError: no such model or device.
    """
    _check(plan)
    torch.set_num_threads(plan.threads)
    device = torch.device(plan.device)
    with model_folder(plan.model, "float32", plan.seed) as folder:
        config = AutoConfig.from_pretrained(folder)
        stock = load_stock(folder, "float32", plan.device).train()
        wired = wire(load_stock(folder, "float32", plan.device), SETTINGS).train()
    peak = measure_peak(DTYPES[plan.dtype], device)
    passes = {key: _pass(key, stock, wired, plan) for key in _keys(plan)}
    seconds = _time_rounds(passes, plan.repeats, device)
    peak = max(peak, measure_peak(DTYPES[plan.dtype], device))  # on a shared machine it comes and goes
    least = count_flops(stock).step([plan.tokens] * plan.rows, plan.rows * _labels(plan)) / peak
    rows = [_row(key, seconds, plan, least) for key in seconds]
    return TrainingResult(rows, _conditions(plan, config, peak))


def branch_batch(token_ids: Tensor, branches: int, labels: int) -> TrainingBatch:
    """Each row cut into ``branches`` texts side by side, with its first ``labels`` labels.

    Args:
        token_ids: ``[B, T]``, T the tokens of a row.
        branches: at most ``T - labels``.
        labels: of a row.

    Example:
        >>> batch = branch_batch(torch.tensor([[1, 2, 3, 4, 5]]), branches=2, labels=2)
        >>> batch.token_ids.tolist(), batch.labels.tolist()
        ([[1, 4, 2, 5, 3]], [[2, 5, -100, -100, -100]])
    """
    texts = [[text.tolist() for text in row.tensor_split(branches)] for row in token_ids]
    samples = [Sample((), [()] * branches, text, [False] * branches) for text in texts]
    batch = Collator(SETTINGS.alignment, stop_id=0, pad_id=0)(samples)
    return replace(batch, labels=_first(batch.labels, labels))


def causal_batch(token_ids: Tensor, labels: int) -> TrainingBatch:
    """Each row as one text in ordinary positions, with its first ``labels`` labels."""
    rows, length = token_ids.shape
    columns = torch.arange(length).expand(rows, length)
    shifted = torch.nn.functional.pad(token_ids[:, 1:], (0, 1), value=NO_LABEL)
    return TrainingBatch(token_ids, torch.stack((torch.ones_like(columns), columns), -1), _first(shifted, labels))


def causal_loss(model: PreTrainedModel, batch: TrainingBatch) -> Tensor:
    """The summed loss of a stock model on rows that are one text each."""
    logits = model(input_ids=batch.token_ids, use_cache=False, logits_to_keep=batch.labelled).logits
    return label_loss(logits, batch.labels[:, batch.labelled])


def _check(plan: TrainingPlan) -> None:
    unknown = [way for way in plan.ways if way not in WAYS]
    if unknown:
        raise TrainingError(f"unknown way {unknown[0]!r}; use {', '.join(WAYS)}")
    if plan.dtype not in ("float32", "bfloat16"):
        raise TrainingError(f"training in {plan.dtype!r} is not timed; use float32 or bfloat16")
    if not plan.branches or min(plan.branches) < 1 or 2 * max(plan.branches) > plan.tokens:
        raise TrainingError(
            f"a row of {plan.tokens} tokens is cut into 1 to {plan.tokens // 2} branches, so that each has "
            f"a token to learn; not {', '.join(map(str, plan.branches)) or 'none'}"
        )


def _keys(plan: TrainingPlan) -> list[WayKey]:
    ways = [way for way in dict.fromkeys(plan.ways) if way != "causal"]
    return [("causal", 1), *((way, count) for count in dict.fromkeys(plan.branches) for way in ways)]


def _labels(plan: TrainingPlan) -> int:
    """Of a row: what that of most branches has, where no text's first token is one."""
    return plan.tokens - max(plan.branches)


def _pass(key: WayKey, stock: PreTrainedModel, wired: PreTrainedModel, plan: TrainingPlan) -> Callable[[], None]:
    """One forward and backward pass."""
    way, branches = key
    stream = torch.Generator().manual_seed(plan.seed)
    token_ids = torch.randint(stock.config.vocab_size, (plan.rows, plan.tokens), generator=stream)
    labels = _labels(plan)
    device = torch.device(plan.device)
    if way == "causal":
        model, batch = stock, causal_batch(token_ids, labels).to(device)
    else:
        model, batch = wired, branch_batch(token_ids, branches, labels).to(device)
    rule = VISIBILITIES["isolated" if way == "isolated" else "columnar"]
    attention = "dense" if way == "dense" else "auto"

    def run() -> None:
        model.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=plan.dtype == "bfloat16"):
            loss = causal_loss(model, batch) if way == "causal" else summed_loss(model, batch, rule, attention)
        (loss / batch.label_tokens).backward()

    return run


def _time_rounds(
    passes: dict[WayKey, Callable[[], None]], repeats: int, device: torch.device
) -> dict[WayKey, list[float]]:
    seconds: dict[WayKey, list[float]] = {key: [] for key in passes}
    with tqdm(total=len(passes) * (1 + repeats), desc="training", unit="pass", disable=None) as bar:
        for number in range(1 + repeats):
            for key, run in passes.items():
                wait_for(device)
                began = time.perf_counter()
                run()
                wait_for(device)
                if number:
                    seconds[key].append(time.perf_counter() - began)
                bar.update()
    return seconds


def _row(key: WayKey, seconds: dict[WayKey, list[float]], plan: TrainingPlan, least: float) -> TrainingRow:
    spent = median(seconds[key])
    ratios = [own / causal for own, causal in zip(seconds[key], seconds["causal", 1], strict=True)]
    return TrainingRow(*key, spent, plan.rows * plan.tokens / spent, median(ratios), least / spent)


def _first(labels: Tensor, count: int) -> Tensor:
    """The first COUNT labels of each row, the others dropped."""
    place = (labels != NO_LABEL).cumsum(dim=1)
    return labels.where(place <= count, NO_LABEL)


def _conditions(plan: TrainingPlan, config: PretrainedConfig, peak: float) -> Conditions:
    return {
        **describe_machine(torch.device(plan.device), plan.threads, plan.dtype),
        **describe_model(plan.model, config),
        "peak_gflops": round(peak / 1e9, 1),
        "tokens": plan.tokens,
        "rows": plan.rows,
        "labels": plan.rows * _labels(plan),
        "repeats": plan.repeats,
    }
