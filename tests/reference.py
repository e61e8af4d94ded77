"""Two ways to the same logits: a stock model on one question alone, and a wired one on the whole group."""

from collections.abc import Callable, Sequence
from unittest import mock

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel

from pmind.decoding import engine
from pmind.decoding.branches import GroupRequest
from pmind.decoding.options import GenerationOptions
from pmind.geometry import Layout, build_layout
from pmind.models.settings import Settings
from pmind.models.wiring import forward
from pmind.visibility import VISIBILITIES, dense_mask

TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}
TIE = 1e-4  # greedy tokens may differ only where the reference's two best logits lie this close

LEGAL = (  # visibility and alignment that go together
    ("isolated", "own"),
    ("isolated", "right"),
    ("isolated", "left"),
    ("columnar", "right"),
    ("columnar", "left"),
)


@torch.no_grad()
def stock_logits(model: PreTrainedModel, token_ids: Sequence[int]) -> Tensor:
    """``[T, V]`` of an unwired model on one sequence."""
    return model(torch.tensor([list(token_ids)])).logits[0]


@torch.no_grad()
def dense_logits(model: PreTrainedModel, settings: Settings, layout: Layout) -> Tensor:
    """``[T, V]`` of a wired model on a whole layout, without a cache."""
    return coords_logits(model, settings, layout.token_ids, layout.coords)


@torch.no_grad()
def coords_logits(model: PreTrainedModel, settings: Settings, token_ids: Tensor, coords: Tensor) -> Tensor:
    """``[T, V]`` for tokens ``[T]`` at coords ``[T, 2]``."""
    visible = dense_mask(VISIBILITIES[settings.visibility], coords[None], coords[None])
    return forward(model, token_ids[None], coords[None], visible)[0]


def places(layout: Layout, branch: int) -> Tensor:
    """Flat indices of one branch's tokens, in order."""
    return torch.nonzero(layout.branch == branch).flatten()


def assert_close(actual: Tensor, expected: Tensor, scale: float = 1.0) -> None:
    """Same logits up to rounding; SCALE for models whose logits are much larger than 1."""
    torch.testing.assert_close(actual, expected, rtol=0, atol=TOLERANCE[expected.dtype] * scale)


def differ(first: Tensor, second: Tensor) -> bool:
    """Whether logits differ by far more than rounding."""
    return bool((first - second).abs().max() > 1e-3)


def decode_recorded(
    model: PreTrainedModel,
    settings: Settings,
    requests: Sequence[GroupRequest],
    *,
    max_groups: int = 1,
    max_new_tokens: int = 8,
    stops: Callable[[Sequence[int]], bool] = lambda answer: answer[-1] % 4 == 0,
) -> list[dict[int, tuple[list[int], Tensor]]]:
    """Run the real engine on varied tokens and note the logits each was chosen from.

    Returns:
        For each group and branch number: the tokens, and their ``[L, V]`` logits.
    """
    seen: list[Tensor] = []

    def choose(logits: Tensor, *rest: object) -> int:
        seen.append(logits.clone())
        return choose_token(logits, *rest)

    choose_token = engine.choose_token
    options = GenerationOptions(max_new_tokens=max_new_tokens, do_sample=True, temperature=2.0)
    with mock.patch.object(engine, "choose_token", choose):
        events = list(engine.decode(model, settings, requests, options, stops, max_groups=max_groups))
    chosen = [(event.group, token.branch, token.token_id) for event in events for token in event.tokens]
    answers = [{number: ([], []) for number in request.numbers} for request in requests]
    for (group, branch, token), logits in zip(chosen, seen, strict=True):
        answers[group][branch][0].append(token)
        answers[group][branch][1].append(logits)
    return [{number: (ids, torch.stack(logits)) for number, (ids, logits) in group.items()} for group in answers]


def assert_equals_dense(
    decoded: Sequence[dict[int, tuple[list[int], Tensor]]],
    reference: PreTrainedModel,
    settings: Settings,
    requests: Sequence[GroupRequest],
    scale: float = 1.0,
) -> None:
    """What :func:`decode_recorded` gave is what REFERENCE computes in one full forward over the finished layouts."""
    for request, answers in zip(requests, decoded, strict=True):
        expected = dense_answers(answers, reference, settings, request)
        for number, (_, logits) in answers.items():
            assert_close(logits, expected[number].to(logits.dtype), scale)


def dense_answers(
    answers: dict[int, tuple[list[int], Tensor]], reference: PreTrainedModel, settings: Settings, request: GroupRequest
) -> dict[int, Tensor]:
    """``[L, V]`` logits of every branch's answer, from one full forward."""
    fed = [answers[number][0][:-1] for number in request.numbers]  # the last token is never fed
    layout = build_layout(request.context, request.prompts, fed, alignment=settings.alignment, numbers=request.numbers)
    logits = dense_logits(reference, settings, layout)
    return {number: logits[places(layout, number)[-len(tokens) :]] for number, (tokens, _) in answers.items()}


@torch.no_grad()
def stock_greedy(
    model: PreTrainedModel,
    questions: Sequence[Sequence[int]],
    max_new_tokens: int,
    stop_ids: Sequence[int] = (),
    **options: float,
) -> list[tuple[list[int], Tensor]]:
    """New tokens of stock ``generate`` on each question, and the ``[L, V]`` scores they were chosen from.

    Questions of one length go through one call, which needs no padding.
    """
    config = GenerationConfig(
        do_sample=False,
        max_new_tokens=max_new_tokens,
        eos_token_id=list(stop_ids) or None,
        pad_token_id=0,
        output_scores=True,
        return_dict_in_generate=True,
        **options,
    )
    answers: dict[int, tuple[list[int], Tensor]] = {}
    for length in {len(question) for question in questions}:
        chosen = [place for place, question in enumerate(questions) if len(question) == length]
        prompts = torch.tensor([list(questions[place]) for place in chosen])
        result = model.generate(prompts, attention_mask=torch.ones_like(prompts), generation_config=config)
        for row, place in enumerate(chosen):
            tokens = _until_stop(result.sequences[row, length:].tolist(), stop_ids)
            answers[place] = tokens, torch.stack([scores[row] for scores in result.scores])
    return [answers[place] for place in range(len(questions))]


def _until_stop(token_ids: list[int], stop_ids: Sequence[int]) -> list[int]:
    """Drop what ``generate`` pads a finished row with."""
    ends = [place for place, token in enumerate(token_ids) if token in stop_ids]
    return token_ids[: ends[0] + 1] if ends else token_ids


def assert_same_tokens(actual: Sequence[int], expected: Sequence[int], scores: Tensor) -> None:
    """Equal up to the first place where the reference itself was undecided."""
    for ours, theirs, score in zip(actual, expected, scores, strict=False):
        if ours != theirs:
            best = score.topk(2).values
            assert best[0] - best[1] <= TIE, f"token {ours} instead of {theirs}, which leads by {best[0] - best[1]:g}"
            return
    assert len(actual) == len(expected)
