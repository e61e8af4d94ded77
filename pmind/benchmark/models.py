"""The model that is timed: a folder, a Hub id, or a preset's shape with random weights."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from tokenizers import Tokenizer, models
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging

from pmind.benchmark.runners.protocol import Setup
from pmind.decoding.decoder import ParallelDecoder
from pmind.models.loading import DTYPES, load_stock
from pmind.models.merging import plain_folder
from pmind.models.presets import KNOWN, PRESETS, timed_config

SPREAD = 1.5  # of what a matrix makes of unit inputs: enough for attention to matter to the tokens


@contextmanager
def model_folder(model: str, dtype: str, seed: int) -> Iterator[Path]:
    """The folder of MODEL; a preset's, and an adapter's with its base model, is made for the time of the benchmark.

    Args:
        model: a folder, a Hub id, or the name of a preset.
        dtype: of random and of merged weights.
        seed: of the random weights.

    Raises:
        ModelError: there is no such model, or it has no weights.
    """
    if Path(model).exists() or model not in (*PRESETS, *KNOWN):
        with plain_folder(model, dtype) as folder:
            yield folder
        return
    with TemporaryDirectory(prefix="pmind-") as folder:
        write_random(timed_config(model), Path(folder), dtype, seed)
        yield Path(folder)


def write_random(config: PretrainedConfig, folder: Path, dtype: str, seed: int) -> None:
    """Save a model with random weights, and a tokenizer with one made-up word an id."""
    stream = torch.Generator().manual_seed(seed)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=DTYPES[dtype])
    model = model.to_empty(device="cpu")
    model.tie_weights()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data.normal_(0, SPREAD * parameter.shape[1] ** -0.5, generator=stream)
        else:
            parameter.data.fill_(1)  # norms; biases too, for their size does not matter
    if not sys.stderr.isatty():
        logging.disable_progress_bar()
    model.save_pretrained(folder)
    words = Tokenizer(models.WordLevel({f"w{i}": i for i in range(config.vocab_size)}, unk_token="w0"))
    PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(folder)


class Models:
    """The model of a benchmark, loaded at most once for all runners that can share it."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    @cached_property
    def decoder(self) -> ParallelDecoder:
        """Wired and packed."""
        return ParallelDecoder.from_pretrained(self.setup.folder, dtype=self.setup.dtype, device=self.setup.device)

    @cached_property
    def stock(self) -> PreTrainedModel:
        """As transformers loads it."""
        return load_stock(self.setup.folder, self.setup.dtype, self.setup.device)
