"""Everything that is looked at in one model: what its heads read, what they are worth, who leans on whom."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pmind.analysis.clusters import cluster_heads
from pmind.analysis.finished import FinishedGroup, finish, stop_token
from pmind.analysis.group_map import as_rows, map_group
from pmind.analysis.head_ablation import Head, all_heads
from pmind.analysis.head_effects import Trial, head_effects
from pmind.analysis.independence import independence
from pmind.analysis.roles import ROLES
from pmind.analysis.sibling_cases import CaseMaker
from pmind.analysis.sibling_effects import Meter
from pmind.analysis.survey import COLUMN_BINS, FARTHEST, Survey, survey_heads
from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import DataError
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import QuestionGroup

VERSION = 1
DECIMALS = 5


@dataclass(frozen=True)
class Budget:
    """How much is looked at.

    Attributes:
        groups: test groups, the first ones.
        branches: numbers of questions taken of a group.
        targets: questions of a group whose siblings are changed.
        ablation_groups: groups answered with every head switched off.
        ablation_heads: most heads switched off; those that lead in some role come first.
        example_cells: most cells a side of the example's map.
        max_new_tokens: most tokens of an answer.
    """

    groups: int
    branches: tuple[int, ...]
    targets: int
    ablation_groups: int
    ablation_heads: int
    example_cells: int
    max_new_tokens: int


def analyze_model(
    decoder: ParallelDecoder, groups: Sequence[QuestionGroup], budget: Budget, *, seed: int, progress: bool = True
) -> dict[str, Any]:
    """Look at heads and siblings over some groups.

    Args:
        decoder: loaded with ``compiled=False``, or heads cannot be switched off.
        groups: questions with accepted answers, as the model was trained to be asked.
        budget: how much.
        seed: of every choice.
        progress: show bars on a terminal.

    Returns:
        JSON-ready. Layers and heads count from 1, branches and columns are the layout's.

        - ``version``, ``conditions``: model's shape and settings, budget, seed.
        - ``roles``, ``even``: names, and the shares of a head that reads all it may alike.
        - ``heads``: a row each: ``layer``, ``head``, ``shares`` by role, ``previous`` (share on the own branch's token
          before), ``retrieval``, ``entropy`` (nats), ``time``, ``branch`` (selectivity, 0 … 1), ``cluster``.
        - ``layers``: the same, means over heads.
        - ``clusters``: ``name``, ``heads`` as [layer, head], ``shares``.
        - ``offsets``: ``columns`` (first column back of each bin), ``branches`` (``context``, then offsets), ``maps``:
          ``layer``, ``head``, ``cells`` in per mille (:func:`pmind.analysis.group_map.as_rows`).
        - ``example``: :func:`pmind.analysis.group_map.map_group`, heads averaged in each layer.
        - ``ablation``: :func:`pmind.analysis.head_effects.head_effects`.
        - ``independence``: :func:`pmind.analysis.independence.independence`.
        - ``seconds``: what each part took.

    Raises:
        DataError: too few groups, documents or answers.
        ModelError: the model is packed, or has a cross-batch module.
    """
    template = PromptTemplate(**decoder.settings.prompt_template)
    chosen = list(groups[: max(budget.groups, budget.ablation_groups)])
    if not chosen:
        raise DataError("no groups to look at. Run the group stage first: dvc repro group")
    finished = [finish(decoder, group, template) for group in chosen]
    clock = _Clock()
    looked = finished[: budget.groups]
    survey = survey_heads(decoder.model, decoder.settings, looked, stop_token(decoder))
    content = {
        "version": VERSION,
        "conditions": _conditions(decoder, looked, budget, seed),
        **describe_heads(survey, seed),
        "example": example_map(decoder, looked, budget.example_cells),
    }
    clock.lap("attention")
    trial = Trial(decoder, chosen[: budget.ablation_groups], finished[: budget.ablation_groups], budget.max_new_tokens)
    heads = pick_heads(survey, all_heads(decoder.model), budget.ablation_heads)
    content["ablation"] = head_effects(trial, heads, seed=seed, title="heads off" if progress else "")
    clock.lap("ablation")
    maker = CaseMaker(chosen[: budget.groups], looked, targets=budget.targets, seed=seed)
    meter = Meter(decoder, budget.max_new_tokens)
    content["independence"] = independence(maker, meter, budget.branches, title="siblings" if progress else "")
    clock.lap("independence")
    return content | {"seconds": clock.laps}


def describe_heads(survey: Survey, seed: int) -> dict[str, Any]:
    """Heads, layers, clusters and offset maps, JSON-ready; see :func:`analyze_model`."""
    layers, heads = survey.shares.shape[:2]
    flat = survey.shares.reshape(layers * heads, len(ROLES)).numpy()
    clusters = cluster_heads(flat, ROLES, seed)
    cluster_of = {member: cluster.name for cluster in clusters for member in cluster.members}
    rows = [
        {"layer": layer + 1, "head": head + 1, **_facts(survey, (layer, head)), "cluster": cluster_of[number]}
        for number, (layer, head) in enumerate(np.ndindex(layers, heads))
    ]
    return {
        "roles": list(ROLES),
        "even": _by_role(survey.even),
        "heads": rows,
        "layers": [{"layer": layer + 1, **_facts(survey, (layer,))} for layer in range(layers)],
        "clusters": [
            {
                "name": cluster.name,
                "heads": [[member // heads + 1, member % heads + 1] for member in cluster.members],
                "shares": _by_role(cluster.shares),
            }
            for cluster in clusters
        ],
        "offsets": _offsets(survey),
    }


def example_map(decoder: ParallelDecoder, finished: Sequence[FinishedGroup], most: int) -> dict[str, Any]:
    """The first group's whole attention, heads averaged in each layer."""
    layout = finished[0].layout(decoder.settings.alignment)
    texts = [decoder.tokenizer.decode([token]) for token in layout.token_ids.tolist()]
    return map_group(decoder.model, decoder.settings, layout, texts, most=most, heads=False)


def pick_heads(survey: Survey, heads: Sequence[Head], most: int) -> list[Head]:
    """Which heads to switch off: all if there are no more than MOST, else role by role the next in share."""
    if len(heads) <= most:
        return list(heads)
    columns = [*survey.shares.flatten(0, 1).T, survey.retrieval.flatten()]
    rankings = [column.argsort(descending=True).tolist() for column in columns]
    order = dict.fromkeys(ranking[place] for place in range(len(heads)) for ranking in rankings)
    return sorted(heads[number] for number in list(order)[:most])


def _facts(survey: Survey, place: tuple[int, ...]) -> dict[str, Any]:
    """Of a head, or of a layer's heads on average."""
    values = {name: getattr(survey, name)[place].mean() for name in ("retrieval", "entropy", "time", "branch")}
    values["previous"] = survey.maps[place][..., FARTHEST + 1, COLUMN_BINS.index(1)].mean()  # the row of the own branch
    shares = survey.shares[place].reshape(-1, len(ROLES)).mean(0)
    return {"shares": _by_role(shares), **{name: round(float(value), DECIMALS) for name, value in values.items()}}


def _by_role(shares: Any) -> dict[str, float]:
    return {role: round(float(share), DECIMALS) for role, share in zip(ROLES, shares, strict=True)}


def _offsets(survey: Survey) -> dict[str, Any]:
    layers, heads = survey.maps.shape[:2]
    return {
        "columns": list(COLUMN_BINS),
        "branches": ["context", *range(-FARTHEST, FARTHEST + 1)],
        "maps": [
            {"layer": layer + 1, "head": head + 1, "cells": as_rows(survey.maps[layer, head])}
            for layer, head in np.ndindex(layers, heads)
        ],
    }


def _conditions(decoder: ParallelDecoder, looked: Sequence[FinishedGroup], budget: Budget, seed: int) -> dict[str, Any]:
    config, settings = decoder.model.config, decoder.settings
    return {
        "architecture": type(decoder.model).__name__,
        "layers": config.num_hidden_layers,
        "heads": config.num_attention_heads,
        "visibility": settings.visibility,
        "alignment": settings.alignment,
        "rope_2d_ratio": settings.rope_2d_ratio,
        "branch_encoding": settings.branch_encoding,
        "questions": sum(len(group.prompts) for group in looked),
        "seed": seed,
        **(asdict(budget) | {"branches": list(budget.branches), "groups": len(looked)}),
    }


class _Clock:
    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 2)
        self._last = now
