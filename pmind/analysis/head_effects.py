"""What each head is worth: answers and their likelihood with it switched off, beside two controls."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from pmind.analysis.finished import FinishedGroup, predict_answers, stop_token
from pmind.analysis.head_ablation import Head, all_heads, equal_disturbance, heads_off
from pmind.decoding.decoder import ParallelDecoder
from pmind.decoding.options import GenerationOptions
from pmind.evaluation.intervals import paired_difference
from pmind.evaluation.text_match import exact_match
from pmind.tasks.records import QuestionGroup

MAX_GROUPS = 16  # decoded together


@dataclass(frozen=True)
class Tried:
    """How a model did on some groups.

    Attributes:
        log_likelihood: mean of the accepted answers' tokens, in nats, siblings' answers at hand.
        exact: 1 or 0 by question id, of greedy answers to the whole group at once.
    """

    log_likelihood: float
    exact: dict[str, float]

    @property
    def em(self) -> float:
        """Share of right answers."""
        return sum(self.exact.values()) / len(self.exact)


@dataclass(frozen=True)
class Trial:
    """Groups to answer with heads switched off.

    Attributes:
        decoder: not packed for the compiled column.
        groups: questions with accepted answers.
        finished: the same as token ids.
        max_new_tokens: most tokens of an answer.
    """

    decoder: ParallelDecoder
    groups: Sequence[QuestionGroup]
    finished: Sequence[FinishedGroup]
    max_new_tokens: int

    def run(self, change: AbstractContextManager[None]) -> Tried:
        """Answer and score under CHANGE."""
        decoder, stop_id = self.decoder, stop_token(self.decoder)
        options = GenerationOptions(max_new_tokens=self.max_new_tokens)
        with change:
            found = [predict_answers(decoder.model, decoder.settings, group, stop_id) for group in self.finished]
            requests = [group.request for group in self.finished]
            answers = decoder.generate_groups(requests, options, max_groups=MAX_GROUPS)
        likelihood = torch.cat([predictions.log_likelihood() for predictions in found]).mean()
        exact = {
            question.id: exact_match(answer.text, question.answers)
            for group, said in zip(self.groups, answers, strict=True)
            for question, answer in zip(group.questions, said, strict=True)
        }
        return Tried(float(likelihood), exact)

    @property
    def documents(self) -> dict[str, str]:
        """Document of each question id."""
        return {question.id: group.document_of(question) for group in self.groups for question in group.questions}


def head_effects(trial: Trial, heads: Sequence[Head], *, seed: int, title: str = "") -> dict[str, Any]:
    """Switch every one of HEADS off, alone, and disturb its layer as much at random.

    Args:
        trial: what is answered.
        heads: at least one.
        seed: of the random directions.
        title: heads the progress bar; none without.

    Returns:
        JSON-ready: ``questions``, ``em`` and ``log_likelihood`` of the whole model, and under ``heads`` for each, layer
        and head from 1:

        - ``em_change`` with ``em_change_low`` and ``…_high`` (95 %, clustered by document), ``log_likelihood_change``
          (nats per answer token): switched off, minus the whole model;
        - ``random_em_change`` …, ``random_log_likelihood_change``: the same under :func:`equal_disturbance`;
        - ``others_em_change``, ``others_log_likelihood_change``: mean over the layer's other heads switched off,
          ``None`` where there is none;

        and under ``layers`` the same changes, without controls, with all heads of a layer switched off.
    """
    whole = trial.run(nullcontext())
    rows = []
    for head in tqdm(heads, desc=title, unit="head", disable=None if title else True):
        off = trial.run(heads_off(trial.decoder.model, [head]))
        random = trial.run(equal_disturbance(trial.decoder.model, head, seed))
        rows.append(
            {"layer": head.layer + 1, "head": head.head + 1}
            | _change(off, whole, trial.documents)
            | {f"random_{name}": value for name, value in _change(random, whole, trial.documents).items()}
        )
    return {
        "questions": len(whole.exact),
        "em": round(whole.em, 6),
        "log_likelihood": round(whole.log_likelihood, 6),
        "heads": [row | _others(row, rows) for row in rows],
        "layers": _layers(trial, whole, sorted({head.layer for head in heads})),
    }


def _layers(trial: Trial, whole: Tried, layers: Sequence[int]) -> list[dict[str, Any]]:
    every = all_heads(trial.decoder.model)
    rows = []
    for layer in layers:
        off = trial.run(heads_off(trial.decoder.model, [head for head in every if head.layer == layer]))
        rows.append({"layer": layer + 1, **_change(off, whole, trial.documents)})
    return rows


def _change(after: Tried, whole: Tried, documents: dict[str, str]) -> dict[str, float]:
    change = paired_difference(after.exact, whole.exact, documents)
    found = {
        "em_change": change.value,
        "em_change_low": change.low,
        "em_change_high": change.high,
        "log_likelihood_change": after.log_likelihood - whole.log_likelihood,
    }
    return {name: round(value, 6) for name, value in found.items()}


def _others(row: dict[str, Any], rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    others = [other for other in rows if other["layer"] == row["layer"] and other["head"] != row["head"]]
    return {
        f"others_{name}": round(sum(other[name] for other in others) / len(others), 6) if others else None
        for name in ("em_change", "log_likelihood_change")
    }
