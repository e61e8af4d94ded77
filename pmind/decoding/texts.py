"""Texts as a model reads and writes them: token ids, room and stop tokens, without the model itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from pmind.models.loading import opening_ids
from pmind.models.settings import Settings


@dataclass(frozen=True)
class Texts:
    """What has to be known of a model to put texts to it.

    Attributes:
        tokenizer: of the model.
        settings: what it was trained for.
        positions: most tokens that it reads; ``None`` where it has no limit.
        eos_token_id: its own stop tokens, as its generation config has them.
    """

    tokenizer: PreTrainedTokenizerBase
    settings: Settings
    positions: int | None
    eos_token_id: int | list[int] | None

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that continues another."""
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def context_ids(self, context: str) -> tuple[int, ...]:
        """Token ids of a context, the tokenizer's own opening token included."""
        return opening_ids(self.tokenizer) + self.encode(context)

    def context_tokens(self, context: str) -> int:
        """How many those are."""
        return len(self.context_ids(context))

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of an answer, without special tokens."""
        return self.tokenizer.decode(list(token_ids), skip_special_tokens=True)

    def answer(self, token_ids: Sequence[int], stop: Sequence[str]) -> str:
        """The text of an answer, cut before the first of STOP."""
        text = self.decode(token_ids)
        cuts = [text.find(end) for end in stop if end in text]
        return text[: min(cuts)] if cuts else text

    def stop_ids(self) -> set[int]:
        """Tokens that end an answer: the model's own, else the tokenizer's."""
        ids = self.tokenizer.eos_token_id if self.eos_token_id is None else self.eos_token_id
        if ids is None:
            return set()
        return set(ids) if isinstance(ids, list) else {ids}
