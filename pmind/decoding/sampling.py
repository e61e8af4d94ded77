"""Choosing a branch's next token from its logits.

A branch's random stream is seeded by (seed, question) and penalties look at the context and the
own branch only, so that a sampled answer does not depend on siblings.
"""

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from pmind.decoding.options import GenerationOptions


def branch_generator(seed: int, prompt: Sequence[int]) -> torch.Generator:
    """Random stream of the branch that asks PROMPT; the same in every process and group."""
    digest = hashlib.blake2b(repr((seed, tuple(prompt))).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "big") >> 1)


def choose_token(logits: Tensor, history: Sequence[int], options: GenerationOptions, stream: torch.Generator) -> int:
    """Pick the next token.

    Args:
        logits: ``[V]`` of one branch's last token.
        history: ids that penalties look at: context, prompt and answer so far.
        options: greedy or sampled, and how.
        stream: the branch's own, on the CPU.
    """
    processors = _processors(options)
    scores = logits.float().cpu()[None]  # [1, V]
    if processors:
        scores = processors(torch.tensor([list(history)]), scores)
    if not options.do_sample:
        return int(scores.argmax())
    return int(torch.multinomial(scores.softmax(dim=-1)[0], 1, generator=stream))


def _processors(options: GenerationOptions) -> LogitsProcessorList:
    processors = LogitsProcessorList()
    if options.repetition_penalty != 1:
        processors.append(RepetitionPenaltyLogitsProcessor(options.repetition_penalty))
    if options.do_sample:
        if options.temperature != 1:
            processors.append(TemperatureLogitsWarper(options.temperature))
        if options.top_k:
            processors.append(TopKLogitsWarper(options.top_k))
        if options.top_p < 1:
            processors.append(TopPLogitsWarper(options.top_p))
    return processors
