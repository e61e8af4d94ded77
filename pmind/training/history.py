"""Samples of a later round: some questions of a group are answered already, and stand in the prompts of others.

What is at hand is what the data accepts as answers; the prompts are the texts that a model reads in
decoding (:attr:`pmind.methods.rounds.Prompt.flat`), tokenised as one text as there::

    group     1. Who is the painter?   2. Where is the person from question 1 at home?   3. Who is the mayor?

    branch 1  1. Who is the painter? Livia\\nWhere is the person from question 1 at home?   Corvow
    branch 2  Who is the mayor?                                                            Orin

No question is both asked and at hand in one sample, as in no round: a columnar branch would read its
answer in a sibling's prompt instead of the passage.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pmind.tasks.prompts import Exchange, PromptTemplate
from pmind.tasks.records import Question, QuestionGroup
from pmind.training.batches import Sample
from pmind.training.passages import Encode

SPARE_SHARE = 0.5  # of the prompts that have, too, what they do not need: else a model need not look at the number


@dataclass(frozen=True)
class History:
    """Makes a share of the samples ones of a later round.

    Attributes:
        groups: what the samples are of, in their order.
        template: texts around questions and answers.
        encode: texts to ids.
        share: of the samples.
    """

    groups: Sequence[QuestionGroup]
    template: PromptTemplate
    encode: Encode
    share: float

    def comes(self, rng: random.Random) -> bool:
        """Whether the next sample is one of a later round; RNG stays untouched where none is."""
        return self.share > 0 and rng.random() < self.share

    def later_round(self, number: int, sample: Sample, chosen: Sequence[int], rng: random.Random) -> Sample:
        """Ask a group's questions, with those at hand that they need, and now and then others.

        Args:
            number: of the group.
            sample: all questions of the group.
            chosen: places of the questions to ask; one that another one needs is at hand instead.
            rng: draws what is at hand beside that.
        """
        needed = {place: self._needs[number][place] for place in chosen}
        asked = [place for place in chosen if not any(place in needs for needs in needed.values())]
        answered = [place for place in range(len(sample.prompts)) if place not in asked]
        at_hand = [needed[place] | _spare(answered, rng) for place in asked]
        return replace(
            sample,
            prompts=self._prompts(self.groups[number], asked, at_hand),
            answers=[sample.answers[place] for place in asked],
            complete=[sample.complete[place] for place in asked],
        )

    def longest(self, samples: Sequence[Sample]) -> list[Sample]:
        """SAMPLES with all other questions of the group at hand of each, as long as they can become."""
        if not self.share:
            return list(samples)
        found = []
        for group, sample in zip(self.groups, samples, strict=True):
            places = range(len(group.questions))
            prompts = self._prompts(group, places, [{*places} - {place} for place in places])
            found.append(replace(sample, prompts=prompts))
        return found

    @cached_property
    def _needs(self) -> list[list[set[int]]]:
        return [[_places(group, question) for question in group.questions] for group in self.groups]

    def _prompts(self, group: QuestionGroup, asked: Sequence[int], at_hand: Sequence[set[int]]) -> list[list[int]]:
        texts = [self._text(group, place, history) for place, history in zip(asked, at_hand, strict=True)]
        return self.encode(texts)

    def _text(self, group: QuestionGroup, place: int, history: set[int]) -> str:
        earlier = (self._exchange(group.questions[other], other + 1) for other in sorted(history))
        return "".join(exchange.line for exchange in earlier) + self.template.render_prompt(group.questions[place])

    def _exchange(self, question: Question, number: int) -> Exchange:
        return Exchange(number, self.template.render_question(question), self.template.render_answer(question))


def _places(group: QuestionGroup, question: Question) -> set[int]:
    """Where in its group the questions stand that a question needs."""
    return {place for place, other in enumerate(group.questions) if other.id in question.needs}


def _spare(answered: Sequence[int], rng: random.Random) -> set[int]:
    """Some of what is answered, needed or not; often nothing."""
    if rng.random() >= SPARE_SHARE:
        return set()
    return set(rng.sample(answered, rng.randint(0, len(answered))))
