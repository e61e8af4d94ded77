"""Operations of one column as torch counts them, without computing anything."""

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, PretrainedConfig

from pmind.benchmark.workload import Workload
from pmind.decoding.cache import Context
from pmind.decoding.reader import Reader
from pmind.models.settings import STOCK
from pmind.models.wiring import wire


def count_column(config: PretrainedConfig, work: Workload, questions: int) -> int:
    """Floating-point operations of the matrix products of one column, halfway through the answers.

    The model's own code runs on torch's ``meta`` device: shapes alone, no weights, no memory.
    """
    with torch.device("meta"):
        model = wire(AutoModelForCausalLM.from_config(config), STOCK)
    request = work.request(questions, config.vocab_size)
    reader = Reader(model, STOCK)
    context = Context(config, request.context, model.dtype, model.device)
    half = (work.answer_tokens - 1) // 2
    cache = reader.open_cache(context, request, later=half)
    for branch, prompt in enumerate(request.prompts):
        cache.place([branch] * (len(prompt) + half - 1))
    fed = [(0, number, work.context_tokens + work.prompt_tokens + half) for number in request.numbers]
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        reader.read_column(fed, [(cache, range(questions))])
    return counter.get_total_flops()
