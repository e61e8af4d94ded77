"""Every way of answering that the benchmark knows, by name."""

from collections.abc import Callable

from pmind.benchmark.models import Models
from pmind.benchmark.runners import llamacpp, openai, openvino, stock, vllm
from pmind.benchmark.runners.ours import EngineRunner
from pmind.benchmark.runners.protocol import Runner
from pmind.errors import DecodingError

Start = Callable[[Models], Runner]

RUNNERS: dict[str, Start] = {
    "sequential": lambda models: stock.StockRunner(models.stock, stock.sequential),
    "sequential_cached": lambda models: EngineRunner(models.decoder, "isolated", apart=True),
    "batch": lambda models: stock.StockRunner(models.stock, stock.batch),
    "batch_cached": lambda models: stock.StockRunner(models.stock, stock.batch_cached),
    "all_in_one": lambda models: stock.StockRunner(models.stock, stock.all_in_one),
    "parallel": lambda models: EngineRunner(models.decoder, "isolated"),
    "parallel_columnar": lambda models: EngineRunner(models.decoder, "columnar"),
    "no_attention": lambda models: EngineRunner(models.decoder, "isolated", skip_attention=True),
    "openvino": lambda models: openvino.start(models.setup),
    "llamacpp": lambda models: llamacpp.start(models.setup),
    "vllm": lambda models: vllm.start(models.setup),
    "server": lambda models: openai.start(models.setup),
}
ONE_BY_ONE = ("sequential", "sequential_cached", "all_in_one")  # one question's token a column
BOUND = "no_attention"  # not a way of answering: its tokens mean nothing


def start(method: str, models: Models) -> Runner:
    """Load METHOD.

    Raises:
        DecodingError: there is no such method.
    """
    if method not in RUNNERS:
        raise DecodingError(f"unknown method {method!r}; use {', '.join(RUNNERS)}")
    return RUNNERS[method](models)
