"""Our own engine: the group as one pass, one question at a time, and a column without attention."""

import importlib.metadata
from dataclasses import replace

from pmind.benchmark.runners.protocol import Run
from pmind.decoding.branches import GroupRequest
from pmind.decoding.decoder import ParallelDecoder
from pmind.decoding.engine import DecodeStats
from pmind.decoding.options import GenerationOptions
from pmind.methods.passes import one_by_one


class EngineRunner:
    """Answers groups with a :class:`ParallelDecoder`.

    Args:
        decoder: the model.
        visibility: ``isolated`` (with alignment ``own``) or ``columnar`` (with ``right``), whatever the
            checkpoint was trained with: it changes what is read, not what is computed beside it.
        apart: one question at a time, the context kept between them.
        skip_attention: leave attention out of the columns.
    """

    def __init__(
        self, decoder: ParallelDecoder, visibility: str, *, apart: bool = False, skip_attention: bool = False
    ) -> None:
        alignment = "own" if visibility == "isolated" else "right"
        settings = replace(decoder.settings, visibility=visibility, alignment=alignment)
        self.version = f"pmind {importlib.metadata.version('pmind')}"
        self._decoder = ParallelDecoder(decoder.model, decoder.tokenizer, settings)
        self._apart, self._skip_attention = apart, skip_attention

    def reset(self) -> None:
        """Nothing is kept between runs."""

    def run(self, request: GroupRequest, answer_tokens: int) -> Run:
        """See :class:`pmind.benchmark.runners.protocol.Runner`."""
        requests = one_by_one(request, 1) if self._apart else [request]
        stats = DecodeStats()
        events = self._decoder.stream_groups(
            requests,
            GenerationOptions(max_new_tokens=answer_tokens, eos_token_id=()),
            share_contexts=True,
            skip_attention=self._skip_attention,
            stats=stats,
        )
        answers: dict[tuple[int, int], list[int]] = {}
        for event in events:
            for token in event.tokens:
                answers.setdefault((event.group, token.branch), []).append(token.token_id)
        return Run(
            answers=tuple(tuple(tokens) for tokens in answers.values()),
            first_token_s=stats.first_token_s,
            prefill_s=stats.prefill_s,
            columns=stats.columns - len(requests),
            kv_bytes=stats.kv_bytes,
        )

    def close(self) -> None:
        """Nothing to give back; models are shared between runners."""
