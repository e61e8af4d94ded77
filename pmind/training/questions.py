"""What fine-tuning reads at a step: so many groups, and some questions of each as branches.

Groups come epoch by epoch, in an order that depends on the seed and the step alone, so a resumed
run sees the data it would have seen.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import QuestionGroup
from pmind.training.batches import Sample
from pmind.training.epochs import Epochs, shuffled
from pmind.training.history import History
from pmind.training.passages import Encode


@dataclass(frozen=True)
class QuestionSteps:
    """Samples of each step: between one and ``max_branches`` questions of each group, in any order.

    Attributes:
        samples: one a group, all of its questions.
        batch_size: groups a step.
        max_branches: most questions of a group.
        seed: of the epochs' orders.
        history: makes some of the samples ones of a later round; ``None`` for none.
    """

    samples: Sequence[Sample]
    batch_size: int
    max_branches: int
    seed: int
    history: History | None = None

    def __call__(self, rng: random.Random, step: int) -> list[Sample]:
        """All samples of a step, counted from 0; RNG chooses the questions."""
        first = step * self.batch_size
        groups = (number for place in range(first, first + self.batch_size) for number in self._groups[place])
        return [self._some_questions(number, rng) for number in groups]

    @cached_property
    def _groups(self) -> Epochs:
        return shuffled(len(self.samples), f"questions/{self.seed}")

    def _some_questions(self, number: int, rng: random.Random) -> Sample:
        sample = self.samples[number]
        asked = len(sample.prompts)
        chosen = rng.sample(range(asked), rng.randint(1, min(self.max_branches, asked)))
        if self.history and self.history.comes(rng):
            return self.history.later_round(number, sample, chosen, rng)
        parts = (sample.prompts, sample.answers, sample.complete)
        prompts, answers, complete = ([part[place] for place in chosen] for part in parts)
        return replace(sample, prompts=prompts, answers=answers, complete=complete)


def group_samples(groups: Sequence[QuestionGroup], template: PromptTemplate, encode: Encode) -> list[Sample]:
    """All questions of each group as branches: prompt, then answer, beside the group's context."""
    return [_group_sample(group, template, encode) for group in groups]


def most_columns(samples: Sequence[Sample]) -> int:
    """Columns of the widest group, under any alignment."""
    return max(
        len(sample.context) + max(map(len, sample.prompts)) + max(map(len, sample.answers)) for sample in samples
    )


def _group_sample(group: QuestionGroup, template: PromptTemplate, encode: Encode) -> Sample:
    prompts = [template.render_prompt(question) for question in group.questions]
    answers = [template.render_answer(question) for question in group.questions]
    context, *ids = encode([template.render_context(group), *prompts, *answers])
    return Sample(context, ids[: len(prompts)], ids[len(prompts) :], complete=[True] * len(prompts))
