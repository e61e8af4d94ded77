"""collab_bert: candidates from the attention between questions that an encoder reads in one sequence.

::

    [CLS] question 1 [SEP] question 2 [SEP] question 3 [SEP]

What question i reads of question j is the mean over i's tokens of the attention that lies on j's.
That grows with j's length and shrinks with the number of questions, so it is turned into a density,
attention a token of j, and compared with the mean density over all pairs of the group: a pair that
is read as much as the average one has confidence 1/2, one that is read twice as much 2/3, and r times
r / (1 + r), whatever the number and the length of the questions. Attention on separators, which
soak up much of it, and on a question's own tokens drops out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor
from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerBase

from pmind.dependencies.edges import Edge
from pmind.errors import ModelError, ParamsError
from pmind.models.loading import LOADING_ERRORS, hide_bars, load_tokenizer, resolve_folder

Summary = Literal["mean", "max", "last"]
THRESHOLD = 0.6  # a pair read half as much again as the average one
QUESTION_TOKENS = 64
TOTAL_TOKENS = 512


@dataclass(frozen=True)
class Encoder:
    """A model that shows its attention, with its tokenizer."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def load_encoder(path_or_id: str | Path, device: str = "cpu") -> Encoder:
    """Load an encoder; a decoder will do, but its questions read only earlier ones.

    Args:
        path_or_id: a folder or a Hub id; code that comes with a model is never run.
        device: where torch puts it.

    Raises:
        ModelError: nothing there, or no model of one stack with a separator in its tokenizer.
    """
    folder, tokenizer = resolve_folder(path_or_id), load_tokenizer(path_or_id)
    hide_bars()
    try:
        model = AutoModel.from_pretrained(folder, attn_implementation="eager", trust_remote_code=False)
    except LOADING_ERRORS as error:
        raise ModelError(f"{path_or_id}: no usable encoder ({str(error).splitlines()[0][:200]})") from error
    if model.config.is_encoder_decoder:
        raise ModelError(f"{path_or_id}: an encoder with a decoder beside it. Use an encoder such as BERT")
    if _separator(tokenizer) is None:
        raise ModelError(f"{path_or_id}: its tokenizer has no separator and no end token. Use an encoder such as BERT")
    return Encoder(model.to(device).eval(), tokenizer)


def propose_by_attention(
    encoder: Encoder,
    questions: Sequence[str],
    *,
    threshold: float = THRESHOLD,
    summary: Summary = "mean",
    question_tokens: int = QUESTION_TOKENS,
    total_tokens: int = TOTAL_TOKENS,
) -> list[Edge]:
    """Candidate edges to questions from those that they read more than others.

    Args:
        encoder: from :func:`load_encoder`.
        questions: one sequence holds them all.
        threshold: least confidence of a candidate.
        summary: of layers and heads: their ``mean``, the ``max`` (some head that reads much), or the
            mean over the heads of the ``last`` layer.
        question_tokens: most tokens of a question; the rest of it is cut off.
        total_tokens: most tokens of the sequence, less where the model has fewer positions; questions
            are cut further, all to the same length, if they do not fit.

    Raises:
        ModelError: not even one token of each question fits.
        ParamsError: an unknown summary, a threshold outside [0, 1], or a question without tokens.
    """
    if not 0 <= threshold <= 1:
        raise ParamsError(f"the attention threshold must be between 0 and 1, not {threshold}")
    if len(questions) < 2:
        return []
    token_ids, owners = _sequence(encoder, questions, question_tokens, total_tokens)
    found = confidences(summarise(_attentions(encoder, token_ids), owners, summary), owners)
    pairs = [(source, target) for target in range(len(questions)) for source in range(len(questions))]
    return [
        Edge(source, target, float(found[target, source]), "attention")
        for source, target in pairs
        if source != target and found[target, source] >= threshold
    ]


def summarise(attentions: Iterable[Tensor], owners: Tensor, summary: Summary) -> Tensor:
    """Attention between questions over layers and heads.

    Args:
        attentions: ``[H, T, T]`` of each layer, rows summing to 1.
        owners: ``[T]`` index of each token's question, -1 for special tokens.
        summary: see :func:`propose_by_attention`.

    Returns:
        ``[N, N]``: what the row's question reads of the column's.

    Example:
        >>> layer = torch.tensor([[[0.5, 0.5, 0.0], [0.0, 0.2, 0.8], [1.0, 0.0, 0.0]]])  # one head
        >>> summarise([layer], torch.tensor([0, 0, 1]), "mean")
        tensor([[0.6000, 0.4000],
                [1.0000, 0.0000]])
    """
    if summary not in get_args(Summary):
        raise ParamsError(f"unknown summary of the attention '{summary}'. Use {', '.join(get_args(Summary))}")
    heads = [_between_questions(layer, owners) for layer in attentions]  # [H, N, N] each
    if summary == "last":
        return heads[-1].mean(0)
    every = torch.cat(heads)  # [layers * H, N, N]
    return every.amax(0) if summary == "max" else every.mean(0)


def confidences(reading: Tensor, owners: Tensor) -> Tensor:
    """Confidence that the row's question needs the column's, see the head of this file.

    Args:
        reading: ``[N, N]`` from :func:`summarise`.
        owners: ``[T]`` index of each token's question, -1 for special tokens.

    Returns:
        ``[N, N]``, 0 on the diagonal; all 0 where no question reads another.
    """
    lengths = torch.bincount(owners[owners >= 0], minlength=len(reading))
    density = (reading / lengths).fill_diagonal_(0)  # [N, N], attention a token
    pairs = len(reading) * (len(reading) - 1)
    ratio = density * pairs / density.sum().clamp(min=torch.finfo(density.dtype).tiny)
    return ratio / (1 + ratio)


def _between_questions(attention: Tensor, owners: Tensor) -> Tensor:
    """``[H, T, T]`` to ``[H, N, N]``: the mean over a question's tokens of what lies on another's."""
    questions = int(owners.max()) + 1
    members = (owners == torch.arange(questions, device=owners.device)[:, None]).to(attention.dtype)  # [N, T]
    on_others = attention @ members.T  # [H, T, N]
    return (members / members.sum(1, keepdim=True)) @ on_others


def _sequence(encoder: Encoder, questions: Sequence[str], most: int, total: int) -> tuple[Tensor, Tensor]:
    """Token ids of all questions, ``[T]``, and whose they are."""
    tokenizer = encoder.tokenizer
    opening = [] if tokenizer.cls_token_id is None else [tokenizer.cls_token_id]
    positions = min(total, getattr(encoder.model.config, "max_position_embeddings", total), tokenizer.model_max_length)
    most = min(most, (positions - len(opening)) // len(questions) - 1)
    if most < 1:
        raise ModelError(f"{len(questions)} questions do not fit into {positions} tokens of the encoder. Ask fewer")
    ids, owners = list(opening), [-1] * len(opening)
    for number, text in enumerate(questions):
        own = tokenizer(text, add_special_tokens=False)["input_ids"][:most]
        if not own:
            raise ParamsError(f"question {number + 1} has no tokens; give every question a text")
        ids += [*own, _separator(tokenizer)]
        owners += [number] * len(own) + [-1]
    device = encoder.model.device
    return torch.tensor(ids, device=device), torch.tensor(owners, device=device)


def _attentions(encoder: Encoder, token_ids: Tensor) -> list[Tensor]:
    """``[H, T, T]`` of each layer; all of them are 151 MB for BERT base and 512 tokens."""
    with torch.inference_mode():
        layers = encoder.model(input_ids=token_ids[None], output_attentions=True).attentions
    if not layers or any(layer is None for layer in layers):
        raise ModelError(f"{type(encoder.model).__name__} does not show its attention. Use an encoder such as BERT")
    return [layer[0].float() for layer in layers]


def _separator(tokenizer: PreTrainedTokenizerBase) -> int | None:
    return tokenizer.eos_token_id if tokenizer.sep_token_id is None else tokenizer.sep_token_id
