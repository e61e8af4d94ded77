"""Give a stock Hugging Face model two-dimensional positions and any visibility.

Only the rotary module is replaced; coords travel through ``position_ids`` as ``[B, T, 2]``.
Attention is the function registered here: the dense reference with a 4D ``attention_mask``, or
whatever a pass, which travels as a keyword argument, computes with its caches. Nothing is left
on a module between calls.
"""

import logging
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from pmind.errors import ModelError
from pmind.models.settings import Settings
from pmind.rope import LEAST_TURN, angles, branch_pairs, branch_turn

ATTENTION = "pmind"
logger = logging.getLogger(__name__)
SUPPORTED_ROPE = ("default", "linear", "yarn", "llama3")  # scalings that do not depend on length


class AttentionPass(Protocol):
    """Knows what each of a pass's tokens reads; in decoding it stores their keys and values, too.

    A model in training that drops attention weights adds the keyword ``dropout``, their share.
    """

    def attend(self, layer: int, query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
        """``[B, H, T, D]`` from queries of that shape and ``[B, G, T, D]`` keys and values."""


class BranchRotaryEmbedding(nn.Module):
    """Rotary embedding over (branch, column) coordinates, from a base model's own frequencies."""

    def __init__(self, base: nn.Module, settings: Settings) -> None:
        super().__init__()
        pairs = branch_pairs(len(base.inv_freq), settings.rope_2d_ratio, settings.pair_placement, settings.pair_indices)
        self.register_buffer("inv_freq", base.inv_freq.detach().float().clone(), persistent=False)
        self.register_buffer("carries_branch", torch.zeros_like(self.inv_freq, dtype=torch.bool), persistent=False)
        self.attention_scaling = float(base.attention_scaling)
        self.encoding = settings.branch_encoding
        self.stride = settings.branch_stride
        self.pairs = pairs
        self.carry(pairs)

    def carry(self, pairs: Sequence[int]) -> None:
        """Let these pairs (1-based) carry the branch from now on, and no others; made for the settings' own."""
        self.carries_branch.zero_()
        self.carries_branch[[pair - 1 for pair in pairs]] = True

    def forward(self, x: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine ``[B, T, 2F]`` in x's dtype for coords ``[B, T, 2]``."""
        if position_ids.dim() != 3 or position_ids.shape[-1] != 2:
            raise ModelError(
                f"a wired model takes position_ids of shape [B, T, 2] (branch, column), not {list(position_ids.shape)}"
            )
        turn = angles(position_ids, self.inv_freq, self.carries_branch, self.encoding, self.stride)  # [B, T, F]
        turn = torch.cat((turn, turn), dim=-1)  # [B, T, 2F], the halves that rotate_half pairs up
        cosine, sine = turn.cos() * self.attention_scaling, turn.sin() * self.attention_scaling
        return cosine.to(x.dtype), sine.to(x.dtype)

    def neighbour_turn(self) -> float:
        """Radians by which the fastest branch pair turns from one branch to the next."""
        return branch_turn(self.inv_freq, self.pairs, self.stride)


def wire(model: PreTrainedModel, settings: Settings) -> PreTrainedModel:
    """Replace MODEL's rotary module and attention function, in place.

    Args:
        model: a decoder-only model with one rotary module; may be wired already.
        settings: ratio, placement, encoding and stride of the branch axis.

    Raises:
        ModelError: no RoPE, or a kind of RoPE or attention that is not supported; names it.
        SettingsError: the settings select no frequency pair.
    """
    owner, base = _rotary_owner(model)
    if not isinstance(base, BranchRotaryEmbedding):
        _check_supported(model, base)
    rotary = BranchRotaryEmbedding(base, settings)
    model.set_attn_implementation(ATTENTION)
    if model.config._attn_implementation != ATTENTION:  # transformers only logs a warning
        raise ModelError(f"{type(model).__name__} is not supported: its attention cannot be replaced")
    owner.rotary_emb = rotary
    warning = separation_warning(rotary, settings)
    if warning:
        logger.warning(warning)
    return model


def separation_warning(rotary: BranchRotaryEmbedding, settings: Settings) -> str | None:
    """A sentence when siblings that see each other can hardly be told apart, else ``None``."""
    turn = rotary.neighbour_turn()
    if turn >= LEAST_TURN or (settings.visibility == "isolated" and not rotary.pairs):
        return None
    return (
        f"the fastest branch pair turns by {turn:.3g} rad from one branch to the next, under {LEAST_TURN:g}: "
        "branches are hard to tell apart. Raise rope_2d_ratio or branch_stride, or place pairs interleaved"
    )


def forward(
    model: PreTrainedModel, token_ids: Tensor, coords: Tensor, visible: Tensor, keep: int | Tensor = 0
) -> Tensor:
    """One pass of a wired model over whole layouts, without a cache: the dense reference.

    Args:
        model: wired by :func:`wire`.
        token_ids: ``[B, T]``.
        coords: ``[B, T, 2]`` (branch, column).
        visible: ``[B, T, T]`` bool, ``True`` = may attend.
        keep: logits of the last ``keep`` tokens only, or ``[K]`` indices of tokens; 0 gives all.

    Returns:
        ``[B, keep, K or T, V]`` logits.
    """
    return model(
        input_ids=token_ids,
        position_ids=coords,
        attention_mask=visible[:, None],  # [B, 1, T, T]
        use_cache=False,
        logits_to_keep=keep,
    ).logits


def forward_pass(
    model: PreTrainedModel, token_ids: Tensor, coords: Tensor, attention: AttentionPass, keep: int | Tensor
) -> Tensor:
    """One pass of a wired model over tokens beside what its caches hold.

    Args:
        model: wired by :func:`wire`.
        token_ids: ``[T]``.
        coords: ``[T, 2]`` (branch, column).
        attention: what the tokens read and where they are stored.
        keep: logits of the last ``keep`` tokens only, or ``[K]`` indices of tokens; 0 gives all.

    Returns:
        ``[K, V]`` logits.
    """
    return forward_batch(model, token_ids[None], coords[None], attention, keep)[0]


def forward_batch(
    model: nn.Module, token_ids: Tensor, coords: Tensor, attention: AttentionPass, keep: int | Tensor
) -> Tensor:
    """One pass over a batch; as :func:`forward_pass`, with an axis B in front of everything.

    Args:
        model: wired by :func:`wire`; may be wrapped, for it is only called.
        token_ids: ``[B, T]``.
        coords: ``[B, T, 2]`` (branch, column).
        attention: what the tokens read.
        keep: as for :func:`forward_pass`.

    Returns:
        ``[B, K, V]`` logits.
    """
    nothing = torch.empty(1, 1, 1, 0, dtype=torch.bool, device=coords.device)  # fits no attention but ours
    return model(
        input_ids=token_ids,
        position_ids=coords,
        attention_mask=nothing,
        use_cache=False,
        logits_to_keep=keep,
        attention_pass=attention,
    ).logits


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    attention_pass: AttentionPass | None = None,
    **_: object,
) -> tuple[Tensor, None]:
    """Attention of ``[B, H, T, D]`` queries: the pass's, or the dense reference; grouped heads unexpanded."""
    if attention_pass is not None:
        scale = query.shape[-1] ** -0.5 if scaling is None else scaling
        dropping = {"dropout": dropout} if dropout else {}
        output = attention_pass.attend(module.layer_idx, query, key, value, scale, **dropping)
        return output.transpose(1, 2).contiguous(), None  # [B, T, H, D]
    _check_mask(module, attention_mask, key)
    output = nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=attention_mask,
        dropout_p=dropout,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return output.transpose(1, 2).contiguous(), None  # [B, T, H, D]


AttentionInterface.register(ATTENTION, _attend)


def _check_mask(module: nn.Module, attention_mask: Tensor | None, key: Tensor) -> None:
    if attention_mask is None:
        raise ModelError("a wired model needs an attention_mask of shape [B, 1, T, S]; run it through wiring.forward()")
    if attention_mask.shape[-1] != key.shape[2]:  # [B, 1, T, S] and [B, H, S, D]
        raise ModelError(
            f"{type(module).__name__} cannot be decoded: its model does not pass keyword arguments on to it, "
            "as Llama, Qwen2, Qwen3, Mistral and their kin do"
        )


def _rotary_owner(model: PreTrainedModel) -> tuple[nn.Module, nn.Module]:
    owners = [module for module in model.modules() if hasattr(module, "rotary_emb")]
    owners = [owner for owner in owners if hasattr(owner.rotary_emb, "inv_freq")]
    if len(owners) != 1:
        raise ModelError(
            f"{type(model).__name__} has {len(owners)} rotary embeddings; pmind needs a decoder-only model with "
            "exactly one (Llama, Qwen2, Qwen3, Mistral and their kin)"
        )
    return owners[0], owners[0].rotary_emb


def _check_supported(model: PreTrainedModel, rotary: nn.Module) -> None:
    config, name = model.config, type(model).__name__
    rope_type = getattr(rotary, "rope_type", None)
    if rope_type not in SUPPORTED_ROPE:
        raise ModelError(f"{name}: RoPE scaling {rope_type!r} is not supported; {', '.join(SUPPORTED_ROPE)} are")
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"]) - {"full_attention"}
    if not getattr(config, "layer_types", None) and getattr(config, "sliding_window", None):
        kinds = {"sliding_attention"}
    if getattr(config, "attention_chunk_size", None):
        kinds = {"chunked_attention"}
    if kinds:
        raise ModelError(f"{name}: {', '.join(sorted(kinds))} is not supported; every layer must use full attention")
    if getattr(config, "kv_lora_rank", None):
        raise ModelError(f"{name}: latent attention, with keys and values of different sizes, is not supported")
    if getattr(config, "attn_logit_softcapping", None):
        raise ModelError(f"{name}: softcapped attention logits are not supported")
    _check_halves(rotary, name)


def _check_halves(rotary: nn.Module, name: str) -> None:
    """Refuse rotary modules that lay their pairs out in another way than in two halves."""
    if rotary.inv_freq.device.type == "meta":  # a model of shapes alone has no angles to probe
        return
    probe = torch.ones(1, 1, 1, device=rotary.inv_freq.device)
    cosine, _ = rotary(probe, torch.ones(1, 1, dtype=torch.int64, device=probe.device))  # [1, 1, 2F]
    expected = rotary.inv_freq.float().cos().repeat(2) * rotary.attention_scaling
    if cosine.flatten().shape != expected.shape or not torch.allclose(cosine.flatten(), expected, atol=1e-5):
        raise ModelError(f"{name}: {type(rotary).__name__} interleaves its pairs, which is not supported")
