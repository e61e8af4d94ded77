"""Finished groups: every branch with its answer, read in one teacher-forced pass.

What is looked at are the tokens that predict an answer: the last one of a prompt and those of the
answer, the last of which predicts the stop token::

    branch 1   q1 q2 a1 a2        looked at   .  x  x  x
    branch 2   .  r1 b1           looked at   .  x  x
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from pmind.crossbatch.hook import attached
from pmind.decoding.branches import GroupRequest
from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import ModelError
from pmind.geometry import Alignment, Layout, build_layout
from pmind.models.settings import Settings
from pmind.models.wiring import AttentionPass, forward_pass
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import QuestionGroup
from pmind.training.attention import BlockPass
from pmind.training.batches import NO_LABEL, branch_labels
from pmind.visibility import VISIBILITIES

TokenIds = tuple[int, ...]


@dataclass(frozen=True)
class FinishedGroup:
    """A group with its answers, as token ids.

    Attributes:
        context: the shared context, may be empty.
        prompts: one a branch, none empty.
        answers: what follows each prompt; may be empty.
        numbers: branch numbers; 1 … N when empty.
    """

    context: TokenIds
    prompts: tuple[TokenIds, ...]
    answers: tuple[TokenIds, ...]
    numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", self.request.numbers)

    @property
    def request(self) -> GroupRequest:
        """The group before it was answered."""
        return GroupRequest(self.context, self.prompts, self.numbers)

    def layout(self, alignment: Alignment) -> Layout:
        """The group as one flat sequence."""
        return build_layout(self.context, self.prompts, self.answers, alignment=alignment, numbers=self.numbers)


@dataclass(frozen=True)
class Predictions:
    """What a model expects at every token that predicts an answer.

    Attributes:
        log_probs: ``[K, V]`` float64, of the next token.
        labels: ``[K]`` the tokens that follow.
        branch: ``[K]`` their branch numbers.
    """

    log_probs: Tensor
    labels: Tensor
    branch: Tensor

    def of(self, number: int) -> Tensor:
        """``[k, V]`` log-probabilities of one branch, in the order of its tokens."""
        return self.log_probs[self.branch == number]

    def log_likelihood(self) -> Tensor:
        """``[K]`` log-probability of each token that follows, in nats."""
        return self.log_probs.gather(1, self.labels[:, None])[:, 0]


def finish(decoder: ParallelDecoder, group: QuestionGroup, template: PromptTemplate) -> FinishedGroup:
    """GROUP with its first accepted answers, in the texts of TEMPLATE."""
    request = decoder.encode_group(
        template.render_context(group), [template.render_prompt(question) for question in group.questions]
    )
    answers = tuple(decoder.encode(template.render_answer(question)) for question in group.questions)
    return FinishedGroup(request.context, request.prompts, answers)


def stop_token(decoder: ParallelDecoder) -> int | None:
    """The token that ends an answer, the lowest where there are several; ``None`` where there is none."""
    return min(decoder.stop_ids(), default=None)


def answer_labels(layout: Layout, stop_id: int | None) -> Tensor:
    """What each token has to predict, ``NO_LABEL`` where that is no part of an answer.

    Args:
        layout: branches of any numbers.
        stop_id: follows every answer; ``None`` for nothing.

    Returns:
        ``[T]`` int64.

    Example:
        >>> layout = build_layout([9], [[5, 6], [7]], [[1], [2, 3]], alignment="right", numbers=[1, 4])
        >>> answer_labels(layout, None).tolist()
        [-100, -100, 1, 2, -100, 3, -100]
    """
    complete = [stop_id is not None] * int(layout.branch.max())
    return branch_labels(layout, complete, NO_LABEL if stop_id is None else stop_id)


@torch.inference_mode()
def predict_answers(
    model: PreTrainedModel,
    settings: Settings,
    group: FinishedGroup,
    stop_id: int | None,
    *,
    only: Sequence[int] | None = None,
) -> Predictions:
    """Read a finished group in one pass, without keeping any attention.

    Args:
        model: wired with ``settings``.
        settings: alignment and visibility.
        group: what is read.
        stop_id: follows every answer; ``None`` for nothing.
        only: branch numbers that are looked at; all by default.

    Raises:
        ModelError: the model has a cross-batch module.
    """
    layout = group.layout(settings.alignment)
    labels = answer_labels(layout, stop_id)
    asked = labels != NO_LABEL
    if only is not None:
        asked &= torch.isin(layout.branch, torch.tensor(list(only)))
    rule = VISIBILITIES[settings.visibility]
    coords = layout.coords.to(model.device)
    logits = run_layout(model, layout, BlockPass(rule, coords[None]), asked.nonzero()[:, 0])
    return Predictions(logits.double().log_softmax(-1).cpu(), labels[asked], layout.branch[asked])


def run_layout(model: PreTrainedModel, layout: Layout, attention: AttentionPass, keep: Tensor) -> Tensor:
    """``[K, V]`` logits of the tokens KEEP of one layout.

    Raises:
        ModelError: the model has a cross-batch module: its branches exchange more than attention shows.
    """
    if attached(model) is not None:
        raise ModelError("the model has a cross-batch module, which attention does not show; analyse its base model")
    device = model.device
    return forward_pass(model, layout.token_ids.to(device), layout.coords.to(device), attention, keep.to(device))
