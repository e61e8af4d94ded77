"""A model's own answers as what it learns: the same words, now in company."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from accelerate.utils import gather_object
from tqdm import tqdm

from pmind.decoding.branches import GroupRequest
from pmind.decoding.decoder import Answer, ParallelDecoder
from pmind.decoding.engine import ColumnEvent
from pmind.decoding.options import GenerationOptions
from pmind.models.loading import opening_ids
from pmind.training.batches import Sample
from pmind.training.distributed import join_training


@dataclass(frozen=True)
class OwnAnswers:
    """Samples with a model's own answers in place of the data's.

    Attributes:
        samples: in the order they were given.
        empty: questions it had nothing to say to; it learns to stop at once.
        cut: questions whose answer hit the limit; it learns no stop there.
    """

    samples: list[Sample]
    empty: int
    cut: int

    def metrics(self, prefix: str) -> dict[str, int]:
        """What belongs in a metrics file."""
        return {f"{prefix}.own_answers.empty": self.empty, f"{prefix}.own_answers.cut": self.cut}


def answer_samples(
    decoder: ParallelDecoder, samples: Sequence[Sample], *, max_new_tokens: int, max_groups: int = 16
) -> OwnAnswers:
    """Ask a model every question of SAMPLES alone, and greedily; processes share the work.

    Args:
        decoder: the model with its own settings.
        samples: one a group, all of its questions; their answers are not read.
        max_new_tokens: most tokens of an answer, the stop token included.
        max_groups: questions decoded side by side.

    Raises:
        DecodingError: a question does not fit the model's positions with its answer.
    """
    opening = opening_ids(decoder.tokenizer)
    requests = [
        GroupRequest((*opening, *sample.context), (tuple(prompt),)) for sample in samples for prompt in sample.prompts
    ]
    with join_training().split_between_processes(requests) as share:
        answers = _answer(decoder, share, GenerationOptions(max_new_tokens=max_new_tokens), max_groups)
    everyones = iter(gather_object(answers))
    told = [_tell(sample, [next(everyones) for _ in sample.prompts]) for sample in samples]
    empty = sum(not answer for sample in told for answer in sample.answers)
    return OwnAnswers(told, empty, cut=sum(not complete for sample in told for complete in sample.complete))


def _answer(
    decoder: ParallelDecoder, requests: Sequence[GroupRequest], options: GenerationOptions, max_groups: int
) -> list[Answer]:
    hidden = None if join_training().is_main_process else True  # None: hidden where stderr is no terminal
    with tqdm(total=len(requests), desc="own answers", unit="question", disable=hidden) as bar:

        def on_event(event: ColumnEvent) -> None:
            bar.update(sum(token.finish_reason is not None for token in event.tokens))

        answers = decoder.generate_groups(
            requests, options, max_groups=max_groups, share_contexts=True, on_event=on_event
        )
    return [answer for (answer,) in answers]


def _tell(sample: Sample, answers: Sequence[Answer]) -> Sample:
    complete = [answer.finish_reason == "stop" for answer in answers]
    ids = [answer.token_ids[:-1] if done else answer.token_ids for answer, done in zip(answers, complete, strict=True)]
    return replace(sample, answers=ids, complete=complete)
