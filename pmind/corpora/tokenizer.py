"""Train the byte-level BPE tokenizer of the presets."""

from collections.abc import Callable, Iterable

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from pmind.errors import DataError

PAD = "<|pad|>"
END = "<|end|>"
BYTES = 256


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a tokenizer that gives every text back unchanged; the same texts give the same one.

    Chinese characters are never merged with each other: written without spaces, a term would
    otherwise have other tokens in a passage than as an answer, and could not be copied.

    Args:
        texts: what to train on.
        vocab_size: at most this many tokens, the 256 bytes and the special tokens included; few
            texts give fewer.

    Raises:
        DataError: ``vocab_size`` cannot hold the bytes and the special tokens.
    """
    special = [PAD, END]
    if vocab_size < BYTES + len(special):
        raise DataError(f"vocab_size {vocab_size} is too small. Bytes and special tokens take {BYTES + len(special)}")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\p{Han}"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, eos_token=END)


def token_counter(tokenizer: PreTrainedTokenizerBase) -> Callable[[str], int]:
    """Make a function that counts a text's tokens, none added at its ends."""
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])


def token_cutter(tokenizer: PreTrainedTokenizerBase) -> Callable[[str, int], str]:
    """Make a function that gives a text's first so many tokens, as the text has them."""

    def cut(text: str, most: int) -> str:
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        offsets = encoded["offset_mapping"]
        return text if len(offsets) <= most else text[: offsets[most - 1][1]]

    return cut
