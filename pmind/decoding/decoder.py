"""ParallelDecoder: texts in, answers out, many questions about one context in one pass."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from pmind.crossbatch.files import attach_saved, has_crossbatch
from pmind.decoding.branches import FinishReason, GroupRequest
from pmind.decoding.cache import Context
from pmind.decoding.engine import ColumnEvent, DecodeStats, decode
from pmind.decoding.options import GenerationOptions
from pmind.decoding.reader import Reader
from pmind.decoding.scoring import score
from pmind.decoding.texts import Texts
from pmind.errors import DecodingError
from pmind.models.loading import load_model, load_tokenizer, resolve_folder
from pmind.models.settings import Settings
from pmind.native.column import pack


@dataclass(frozen=True)
class Answer:
    """What one branch said.

    Attributes:
        text: without special tokens, cut before a stop string.
        token_ids: as chosen, a stop token included.
        finish_reason: ``stop`` (stop token or string) or ``length``.
    """

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason


class ParallelDecoder:
    """Answers many questions about one context in one decoding pass.

    Example::

        decoder = ParallelDecoder.from_pretrained("models/squad")
        for answer in decoder.generate(passage, ["Who is the painter?", "Which river floods?"]):
            print(answer.text)
    """

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, settings: Settings) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.settings = settings

    @classmethod
    def from_pretrained(
        cls,
        path_or_id: str | Path,
        *,
        override: bool = False,
        dtype: str = "float32",
        device: str = "cpu",
        compiled: bool = True,
        grouping: str | None = None,
        **requested: Any,
    ) -> "ParallelDecoder":
        """Load a folder or Hub id.

        Args:
            path_or_id: a pmind checkpoint, or any Hugging Face RoPE model; a cross-batch module that lies
                beside its weights is used.
            override: decode with ``requested`` even where the checkpoint was trained otherwise.
            dtype: of weights and cache.
            device: where torch puts the model.
            compiled: on a CPU, use the compiled column where the model and a C++ compiler allow it; a
                cross-batch module does not.
            grouping: how the questions are grouped, to make sure that a cross-batch module was trained so.
            **requested: settings such as ``visibility="isolated"``; see
                :class:`pmind.models.settings.Settings`.

        Raises:
            ModelError: the model is missing or of a kind that cannot be wired, or its module is another's.
            SettingsError: the checkpoint was trained with other settings, or its module on other groups.
        """
        model, settings = load_model(path_or_id, requested=requested, override=override, dtype=dtype, device=device)
        folder = resolve_folder(path_or_id)
        if has_crossbatch(folder):
            attach_saved(model, folder, grouping=grouping)
        elif compiled:
            model = pack(model)
        return cls(model, load_tokenizer(path_or_id), settings)

    @property
    def texts(self) -> Texts:
        """Texts as the model reads and writes them."""
        positions = getattr(self.model.config, "max_position_embeddings", None)
        return Texts(self.tokenizer, self.settings, positions, self.model.generation_config.eos_token_id)

    def prefill(self, context: str | Sequence[int]) -> Context:
        """Read a context once, for any number of later calls.

        Args:
            context: a text, or token ids.

        Returns:
            What :meth:`generate`, :meth:`encode_group` and :meth:`score` take in place of the text.
            ``bytes`` tells its memory, ``free()`` gives it back.

        Example::

            passage = decoder.prefill(text)
            first = decoder.generate(passage, ["Who is the painter?"])
            second = decoder.generate(passage, ["Which river floods?", "When?"])
        """
        token_ids = self.texts.context_ids(context) if isinstance(context, str) else tuple(context)
        return Reader(self.model, self.settings).read_context(token_ids)

    def encode_group(self, context: str | Context, prompts: Sequence[str]) -> GroupRequest:
        """Tokenise a context, with the tokenizer's own opening token, and each prompt without."""
        for number, prompt in enumerate(prompts, start=1):
            if not prompt.strip():
                raise DecodingError(f"question {number} is empty; every branch needs at least one token")
        encoded = tuple(self.encode(prompt) for prompt in prompts)
        if isinstance(context, Context):
            return GroupRequest(context.token_ids, encoded, read=context)
        return GroupRequest(self.texts.context_ids(context), encoded)

    def context_tokens(self, context: str) -> int:
        """Tokens that a context takes, the tokenizer's own opening token included."""
        return self.texts.context_tokens(context)

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of a text that continues another."""
        return self.texts.encode(text)

    def generate(
        self, context: str | Context, prompts: Sequence[str], options: GenerationOptions | None = None, **changes: Any
    ) -> list[Answer]:
        """Answer all prompts in one pass.

        Args:
            context: text shared by all prompts, may be empty; or one that :meth:`prefill` read.
            prompts: one a branch, as the model should read it.
            options: generation options.
            **changes: single options that replace those (``max_new_tokens=16``).
        """
        options = replace(options or GenerationOptions(), **changes)
        return self.generate_groups([self.encode_group(context, prompts)], options)[0]

    def generate_groups(
        self,
        requests: Sequence[GroupRequest],
        options: GenerationOptions | None = None,
        *,
        max_groups: int = 1,
        share_contexts: bool = False,
        stats: DecodeStats | None = None,
        on_event: Callable[[ColumnEvent], None] | None = None,
    ) -> list[list[Answer]]:
        """Answer many groups, ``max_groups`` at a time, in the order of the requests.

        Args:
            requests: from :meth:`encode_group`.
            options: generation options.
            max_groups: groups decoded together.
            share_contexts: do not read a context again when the group before had the same.
            stats: filled with times and counts.
            on_event: called with every column as it is chosen.
        """
        options = options or GenerationOptions()
        tokens = [{number: [] for number in request.numbers} for request in requests]
        reasons: list[dict[int, FinishReason]] = [{} for _ in requests]
        for event in self.stream_groups(
            requests, options, max_groups=max_groups, share_contexts=share_contexts, stats=stats
        ):
            for token in event.tokens:
                tokens[event.group][token.branch].append(token.token_id)
                if token.finish_reason:
                    reasons[event.group][token.branch] = token.finish_reason
            if on_event:
                on_event(event)
        return [
            [self.answer(ids, reasons[group][number], options) for number, ids in branches.items()]
            for group, branches in enumerate(tokens)
        ]

    def stream_groups(
        self,
        requests: Iterable[GroupRequest | None],
        options: GenerationOptions | None = None,
        *,
        max_groups: int = 1,
        share_contexts: bool = False,
        skip_attention: bool = False,
        stats: DecodeStats | None = None,
    ) -> Iterator[ColumnEvent]:
        """Yield every column of every group as it is chosen; see :func:`pmind.decoding.engine.decode`."""
        options = options or GenerationOptions()
        return decode(
            self.model,
            self.settings,
            requests,
            options,
            self._stop_test(options),
            max_groups=max_groups,
            share_contexts=share_contexts,
            skip_attention=skip_attention,
            stats=stats,
        )

    def score(
        self, context: str | Context, prompts: Sequence[str], continuations: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Log-likelihood in nats of each prompt's continuations, in one parallel pass."""
        request = self.encode_group(context, prompts)
        return self.score_group(request, [[self.encode(text) for text in texts] for texts in continuations])

    def score_group(self, request: GroupRequest, continuations: Sequence[Sequence[Sequence[int]]]) -> list[list[float]]:
        """:meth:`score` on token ids."""
        return score(self.model, self.settings, request, continuations)

    def answer(self, token_ids: Sequence[int], reason: FinishReason, options: GenerationOptions) -> Answer:
        """Turn a branch's tokens into text."""
        return Answer(self.texts.answer(token_ids, options.stop_strings), tuple(token_ids), reason)

    def stop_ids(self) -> set[int]:
        """Tokens that end an answer: the model's own, else the tokenizer's."""
        return self.texts.stop_ids()

    def _stop_test(self, options: GenerationOptions) -> Callable[[Sequence[int]], bool]:
        stop_ids = self.stop_ids() if options.eos_token_id is None else set(options.eos_token_id)
        strings, texts = options.stop_strings, self.texts

        def stops(answer: Sequence[int]) -> bool:
            if answer[-1] in stop_ids:
                return True
            return bool(strings) and any(stop in texts.decode(answer) for stop in strings)

        return stops
