"""What a change of siblings does to a branch: its logits, its greedy answer."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor
from tqdm import tqdm

from pmind.analysis.finished import FinishedGroup, predict_answers, stop_token
from pmind.analysis.sibling_cases import Case
from pmind.analysis.sibling_changes import TOLD
from pmind.analysis.sibling_mass import sibling_mass
from pmind.decoding.branches import GroupRequest
from pmind.decoding.decoder import Answer, ParallelDecoder
from pmind.decoding.options import GenerationOptions
from pmind.geometry import branch_starts

MAX_GROUPS = 16  # decoded together

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Effect:
    """What a case did.

    Attributes:
        kl: nats a token, mean over the branch's answer tokens.
        kl_max: the largest of them.
        likeliest: whether some token's likeliest successor changed.
        moved: whether the branch stands in other columns than before.
        answers: greedy answers before and after; ``None`` where nothing was decoded.
    """

    kl: float
    kl_max: float
    likeliest: bool
    moved: bool
    answers: tuple[str, str] | None


class Meter:
    """Measures cases on one model.

    Args:
        decoder: the model.
        max_new_tokens: most tokens of an answer.
    """

    def __init__(self, decoder: ParallelDecoder, max_new_tokens: int) -> None:
        self._decoder = decoder
        self._options = GenerationOptions(max_new_tokens=max_new_tokens)

    def measure(self, cases: Sequence[Case], title: str = "") -> list[Effect]:
        """The effect of each case; what several share is computed once."""
        spoken = self._answers(cases)
        found: dict[int, Effect] = {}
        with tqdm(total=len(cases), desc=title, unit="case", disable=None if title else True) as bar:
            for (before, target), places in _places((case.before, case.target) for case in cases).items():
                expected = self._predict(before, target)
                for place in places:
                    found[place] = self._effect(cases[place], expected, spoken)
                bar.update(len(places))
        return [found[place] for place in range(len(cases))]

    def masses(self, cases: Sequence[Case]) -> list[float]:
        """Of each case, attention of the watched branch on the siblings that may change, before they do."""
        decoder, stop_id = self._decoder, stop_token(self._decoder)
        found: dict[int, float] = {}
        for before, places in _places(case.before for case in cases).items():
            mass = sibling_mass(decoder.model, decoder.settings, before, stop_id)
            for place in places:
                target, *siblings = map(before.numbers.index, (cases[place].target, *cases[place].siblings))
                found[place] = float(mass[target, siblings].sum())
        return [found[place] for place in range(len(cases))]

    def _effect(self, case: Case, before: Tensor, spoken: Mapping[GroupRequest, Mapping[int, str]]) -> Effect:
        after = self._predict(case.after, case.target)  # [k, V], as is before
        kl = (before.exp() * (before - after)).sum(-1).clamp(min=0)  # a sum's rounding may be negative
        likeliest = bool((before.argmax(-1) != after.argmax(-1)).any())
        said = None
        if case.kind not in TOLD:
            said = tuple(spoken[group.request][case.target] for group in (case.before, case.after))
        return Effect(float(kl.mean()), float(kl.max()), likeliest, self._moved(case), said)

    def _answers(self, cases: Sequence[Case]) -> dict[GroupRequest, dict[int, str]]:
        """Greedy answers by branch number of every group that some case decodes."""
        decoded = (case for case in cases if case.kind not in TOLD)
        requests = list(dict.fromkeys(group.request for case in decoded for group in (case.before, case.after)))
        found = self._decoder.generate_groups(requests, self._options, max_groups=MAX_GROUPS) if requests else []
        return {request: _texts(request, answers) for request, answers in zip(requests, found, strict=True)}

    def _predict(self, group: FinishedGroup, target: int) -> Tensor:
        decoder = self._decoder
        found = predict_answers(decoder.model, decoder.settings, group, stop_token(decoder), only=[target])
        return found.of(target)

    def _moved(self, case: Case) -> bool:
        return self._start(case.before, case.target) != self._start(case.after, case.target)

    def _start(self, group: FinishedGroup, target: int) -> tuple[int, int]:
        starts = branch_starts(len(group.context), list(map(len, group.prompts)), self._decoder.settings.alignment)
        return starts[group.numbers.index(target)]


def _places(keys: Iterable[Key]) -> dict[Key, list[int]]:
    """Where each key stands."""
    found: dict[Key, list[int]] = {}
    for place, key in enumerate(keys):
        found.setdefault(key, []).append(place)
    return found


def _texts(request: GroupRequest, answers: Sequence[Answer]) -> dict[int, str]:
    return {number: answer.text for number, answer in zip(request.numbers, answers, strict=True)}
