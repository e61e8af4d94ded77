"""Feeding tokens to the model: contexts once, prompts beside them, then columns.

On a CPU with a packed model the compiled column reads the prompts of isolated branches and every
column; everything else, and every other model and device, goes through the model's own code. So does
a model with a cross-batch module, whose branches exchange hidden states after every prompt and in
every column.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from pmind.crossbatch.hook import attached, mixing, naming
from pmind.crossbatch.peers import column_peers
from pmind.decoding.branches import GroupRequest, check_fits
from pmind.decoding.cache import Context, GroupCache
from pmind.decoding.passes import ColumnPart, ContextPart, MaskedPart, NoAttention, Part, Pass, PromptPart
from pmind.geometry import PROMPT, build_layout
from pmind.models.settings import Settings
from pmind.models.wiring import forward_pass
from pmind.native.column import CompiledColumn, supports
from pmind.visibility import VISIBILITIES, dense_mask

CHUNK = 2048  # tokens of a context read at a time, which bounds the memory that reading takes
COMPILED_CHUNK = 128  # the same for the compiled column, whose activations then stay in the processor's caches
FedToken = tuple[int, int, int]  # id, branch, column


class Reader:
    """A wired model with its settings.

    Args:
        model: wired with ``settings``, packed or not, with a cross-batch module or without.
        settings: alignment and visibility.
        chunk: most tokens of a context in one pass; chosen for the device when omitted.
        skip_attention: leave attention out of the columns.
    """

    def __init__(
        self, model: PreTrainedModel, settings: Settings, *, chunk: int | None = None, skip_attention: bool = False
    ) -> None:
        self.model, self.settings = model, settings
        self._mixes = attached(model) is not None
        self._compiled = CompiledColumn(model) if supports(model) and not self._mixes else None
        self._skip_attention = skip_attention
        self._chunk = chunk or (COMPILED_CHUNK if self._compiled else CHUNK)

    @property
    def isolated(self) -> bool:
        """Whether branches do not read each other."""
        return self.settings.visibility == "isolated"

    def check_fits(self, request: GroupRequest, new_tokens: int) -> None:
        """Refuse a group that needs more positions than the model has; see :func:`branches.check_fits`."""
        positions = getattr(self.model.config, "max_position_embeddings", None)
        check_fits(request, new_tokens, self.settings, positions)

    @torch.inference_mode()
    def read_context(self, token_ids: Sequence[int]) -> Context:
        """Read a context, a chunk at a time."""
        context = Context(self.model.config, token_ids, self.model.dtype, self.model.device)
        tokens = torch.tensor([(token, 0, column) for column, token in enumerate(token_ids)]).reshape(-1, 3)
        for start in range(0, len(tokens), self._chunk):
            chunk = tokens[start : start + self._chunk].to(self.model.device)
            if self._compiled:
                nothing = torch.empty(0, dtype=torch.int64)
                self._compiled(chunk[:, 0], chunk[:, 1:], [context.place(start, len(chunk))], nothing)
            else:
                self._forward(chunk, [ContextPart(context, start, len(chunk))], keep=1)
        return context

    def open_cache(self, context: Context, request: GroupRequest, *, later: int, extra: int = 0) -> GroupCache:
        """Room for a group's prompts, LATER tokens behind each of them, and EXTRA at the end."""
        context.check_usable()
        return GroupCache(context, request, self.model.config, isolated=self.isolated, later=later, extra=extra)

    @torch.inference_mode()
    def read_prompts(self, cache: GroupCache, request: GroupRequest) -> Tensor:
        """Read all prompts of a group in one pass.

        Returns:
            ``[N, V]`` logits of every branch's last prompt token.
        """
        if self.isolated:
            tokens, lasts = self.prompt_tokens(request, by_branch=True), _lasts(request)
            lengths = [len(prompt) for prompt in request.prompts]
            if self._compiled:
                places = [branch for branch, length in enumerate(lengths) for _ in range(length)]
                return self._compiled(tokens[:, 0], tokens[:, 1:], [cache.place(places)], lasts)
            return self._forward(tokens, [PromptPart(cache, lengths)], keep=lasts, peers=lasts[None])
        tokens = self.prompt_tokens(request)
        last_of = {int(number): place for place, number in enumerate(tokens[:, 1])}
        lasts = torch.tensor([last_of[number] for number in request.numbers], device=tokens.device)
        places = [place for place, _ in cache.place([0] * len(tokens)).tokens]
        visible = dense_mask(VISIBILITIES[self.settings.visibility], tokens[None, :, 1:], tokens[None, :, 1:])[0]
        return self._forward(tokens, [MaskedPart(cache, places, visible)], keep=lasts, peers=lasts[None])

    def read_column(self, fed: Sequence[FedToken], groups: Sequence[tuple[GroupCache, Sequence[int]]]) -> Tensor:
        """Append one token to each of some branches.

        Args:
            fed: the tokens, group by group.
            groups: each group's cache, and the indices of the branches that its tokens belong to.

        Returns:
            ``[T, V]`` logits.
        """
        tokens = torch.tensor(fed, dtype=torch.int64, device=self.model.device)
        readings = [(cache, cache.place(branches)) for cache, branches in groups]
        if self._compiled:
            wanted = torch.arange(len(tokens))
            column = [reading for _, reading in readings]
            return self._compiled(tokens[:, 0], tokens[:, 1:], column, wanted, skip_attention=self._skip_attention)
        peers = column_peers([len(branches) for _, branches in groups]) if self._mixes else None
        if self._skip_attention:
            return self._forward(tokens, [NoAttention(len(tokens))], keep=0, peers=peers)
        parts = [ColumnPart(cache, reading) for cache, reading in readings]
        return self._forward(tokens, parts, keep=0, peers=peers)

    @torch.inference_mode()
    def read_masked(self, cache: GroupCache, tokens: Tensor, places: Sequence[int], visible: Tensor) -> Tensor:
        """Append ``[T, 3]`` tokens that read by a mask, and have no peers: ``[T, V]`` logits."""
        return self._forward(tokens, [MaskedPart(cache, places, visible)], keep=0)

    def prompt_tokens(self, request: GroupRequest, *, by_branch: bool = False) -> Tensor:
        """``[T, 3]`` tokens of all prompts in the order in which they are stored."""
        layout = build_layout(
            request.context, request.prompts, alignment=self.settings.alignment, numbers=request.numbers
        )
        tokens = torch.cat((layout.token_ids[:, None], layout.coords), dim=1)[layout.roles == PROMPT]
        if by_branch:
            place_of = {number: place for place, number in enumerate(request.numbers)}
            order = torch.tensor([place_of[int(number)] for number in tokens[:, 1]])
            tokens = tokens[order.argsort(stable=True)]  # columns of one branch keep their order
        return tokens.to(self.model.device)

    def _forward(
        self, tokens: Tensor, parts: Sequence[Part], keep: int | Tensor, peers: Tensor | None = None
    ) -> Tensor:
        if peers is None or not self._mixes:
            return forward_pass(self.model, tokens[:, 0], tokens[:, 1:], Pass(parts), keep)
        with mixing(self.model):
            model = naming(self.model, peers.to(tokens.device))
            return forward_pass(model, tokens[:, 0], tokens[:, 1:], Pass(parts), keep)


def _lasts(request: GroupRequest) -> Tensor:
    """Flat index of every prompt's last token, prompts one behind the other."""
    return torch.tensor([len(prompt) for prompt in request.prompts]).cumsum(0) - 1
