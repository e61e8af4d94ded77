"""Question groups become answer rows: render, decode, score the options.

Every method reads the same texts and the same token ids. The checkpoint's own prompt template wraps
them where it was trained with one, else the dataset's.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from tqdm import tqdm

from pmind.decoding.branches import GroupRequest
from pmind.decoding.decoder import Answer, ParallelDecoder
from pmind.decoding.engine import ColumnEvent, DecodeStats
from pmind.decoding.options import GenerationOptions
from pmind.errors import DecodingError, ModelError
from pmind.evaluation.rows import AnswerRow, QuestionTimes
from pmind.geometry import branch_starts
from pmind.methods import METHODS, Method, answer_groups
from pmind.tasks.dataset import Dataset
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup

OptionScores = tuple[float, ...]


@dataclass(frozen=True)
class Asking:
    """How the questions of one dataset are put to a model.

    Attributes:
        dataset: its name.
        scoring: how its answers will be scored.
        template: texts around a question.
        stop: texts that end an answer beside the stop token.
    """

    dataset: str
    scoring: str
    template: PromptTemplate
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answered:
    """Rows and times of all questions, in the order of their groups, and what decoding them cost."""

    rows: list[AnswerRow]
    times: list[QuestionTimes]
    stats: DecodeStats


def asking_for(decoder: ParallelDecoder, name: str, dataset: Dataset) -> Asking:
    """Ask as the checkpoint was trained to be asked, else as is usual for the dataset."""
    if decoder.settings.prompt_template:
        return Asking(name, dataset.scoring, PromptTemplate(**decoder.settings.prompt_template))
    return Asking(name, dataset.scoring, dataset.template, dataset.stop)


def fitting_groups(
    decoder: ParallelDecoder, groups: Sequence[QuestionGroup], asking: Asking, max_new_tokens: int
) -> tuple[list[QuestionGroup], int]:
    """Leave out questions that go beyond the model's positions with their context and answer; tells how many."""
    positions = getattr(decoder.model.config, "max_position_embeddings", None)
    if positions is None:
        return list(groups), 0
    kept = []
    for group in groups:
        context = decoder.context_tokens(asking.template.render_context(group))
        room = positions - context
        fits = tuple(
            question for question in group.questions if _room(decoder, asking, question, max_new_tokens) <= room
        )
        if fits:
            kept.append(replace(group, questions=fits))
    asked = sum(len(group.questions) for group in groups)
    return kept, asked - sum(len(group.questions) for group in kept)


def _room(decoder: ParallelDecoder, asking: Asking, question: Question, max_new_tokens: int) -> int:
    """Columns that a question's prompt takes with its answer or its longest option."""
    options = (len(tokens) for tokens in _candidates(decoder, asking.template, question))
    prompt = decoder.encode(asking.template.render_prompt(question))
    return len(prompt) + max(max_new_tokens, *options, 0)


def answer_questions(
    decoder: ParallelDecoder,
    method: str,
    groups: Sequence[QuestionGroup],
    asking: Asking,
    *,
    max_new_tokens: int,
    branches: int,
    max_groups: int,
    title: str = "decode",
) -> Answered:
    """Answer every question of GROUPS greedily and score its options, if it has any.

    Args:
        decoder: the model.
        method: name of the way of answering, which scores options in the same passes.
        groups: questions with their contexts.
        asking: how they are put.
        max_new_tokens: most tokens of an answer, the stop token included.
        branches: most questions decoded together.
        max_groups: most groups decoded together, for methods that can.
        title: heads the progress bar.

    Raises:
        DecodingError: an unknown method, an empty question, or a group that does not fit the model.
        ModelError: there are options to score, but the tokenizer has no stop token.
    """
    way, template, stats = _method(method), asking.template, DecodeStats()
    requests = [_request(decoder, template, group) for group in groups]
    passes = [way.split(request, branches) for request in requests]
    clock = _Clock()
    steps = [1 + _scored(question) for group in groups for question in group.questions]  # answer, then score
    with tqdm(total=sum(steps), desc=title, unit="question", disable=None) as bar:

        def on_event(event: ColumnEvent) -> None:
            clock.note(event)
            bar.update(sum(token.finish_reason is not None for token in event.tokens))

        answers = answer_groups(
            decoder,
            way,
            requests,
            GenerationOptions(max_new_tokens=max_new_tokens, stop_strings=asking.stop),
            branches=branches,
            max_groups=max_groups,
            stats=stats,
            on_event=on_event,
        )
        scores = []
        for group, split in zip(groups, passes, strict=True):
            scores.append(score_options(decoder, template, group.questions, split))
            bar.update(sum(bool(found) for found in scores[-1]))
    make = _RowMaker(decoder, method, asking)
    rows = [row for parts in zip(groups, passes, answers, scores, strict=True) for row in make.rows(*parts)]
    moments = clock.moments([single for split in passes for single in split])
    times = [QuestionTimes(row.question_id, *moment) for row, moment in zip(rows, moments, strict=True)]
    return Answered(rows, times, stats)


def score_options(
    decoder: ParallelDecoder, template: PromptTemplate, questions: Sequence[Question], passes: Sequence[GroupRequest]
) -> list[OptionScores]:
    """Log-likelihood in nats of each option's text as the answer, all options of a pass at once.

    The stop token counts as part of the answer: else an option that another one begins with
    ("aspirin", "aspirin 100 mg") could never score below it. Scores are sums over tokens, not means.

    Args:
        decoder: the model.
        template: renders an option as the answer.
        questions: of one group.
        passes: the group's prompts in the order of QUESTIONS, split as the method does.

    Returns:
        One tuple a question, ``()`` for free text and where several options are right.

    Raises:
        ModelError: the tokenizer has no stop token.
    """
    if not any(map(_scored, questions)):
        return [()] * len(questions)
    waiting = iter([_candidates(decoder, template, question) for question in questions])
    scored = [decoder.score_group(single, [next(waiting) for _ in single.prompts]) for single in passes]
    return [tuple(scores) for scores in chain.from_iterable(scored)]


def _method(name: str) -> Method:
    if name not in METHODS:
        raise DecodingError(f"unknown method {name!r}; use {', '.join(METHODS)}")
    return METHODS[name]


def _request(decoder: ParallelDecoder, template: PromptTemplate, group: QuestionGroup) -> GroupRequest:
    prompts = [template.render_prompt(question) for question in group.questions]
    return decoder.encode_group(template.render_context(group), prompts)


def _scored(question: Question) -> bool:
    """Whether one of several options is right: likelihoods rank options, they do not choose a set of them."""
    return len(question.correct) == 1


def _candidates(decoder: ParallelDecoder, template: PromptTemplate, question: Question) -> list[tuple[int, ...]]:
    if not _scored(question):
        return []
    texts = template.render_options(question)
    if template.choice == "letter":
        return [decoder.encode(text) for text in texts]  # no letter begins with another
    stop = decoder.tokenizer.eos_token_id
    if stop is None:
        raise ModelError("the tokenizer has no eos token, which ends every option's text. Use one that has")
    return [(*decoder.encode(text), stop) for text in texts]


class _Clock:
    """When each branch of each pass began and ended its answer.

    The loop reads a pass's prompts between two columns, so a pass starts when the column before it was done.
    """

    def __init__(self) -> None:
        self._last = time.perf_counter()
        self._starts: dict[int, float] = {}
        self._moments: dict[tuple[int, int], tuple[float, float]] = {}

    def note(self, event: ColumnEvent) -> None:
        """Take down a column of a pass."""
        now = time.perf_counter()
        began = self._starts.setdefault(event.group, self._last)
        for token in event.tokens:
            first, _ = self._moments.get((event.group, token.branch), (now - began, 0.0))
            self._moments[event.group, token.branch] = (first, now - began)
        self._last = now

    def moments(self, passes: Sequence[GroupRequest]) -> list[tuple[float, float]]:
        """Seconds to the first and to the last token of every question, in the order of PASSES."""
        return [self._moments[index, number] for index, single in enumerate(passes) for number in single.numbers]


class _RowMaker:
    """Rows of one decoder, method and way of asking."""

    def __init__(self, decoder: ParallelDecoder, method: str, asking: Asking) -> None:
        self._decoder, self._method, self._asking = decoder, method, asking
        self._stop_ids = decoder.stop_ids()

    def rows(
        self,
        group: QuestionGroup,
        passes: Sequence[GroupRequest],
        answers: Sequence[Answer],
        scores: Sequence[OptionScores],
    ) -> list[AnswerRow]:
        """Rows of one group, in the order of its questions."""
        places = chain.from_iterable(map(self._places, passes))
        return [self._row(group, *part) for part in zip(group.questions, places, answers, scores, strict=True)]

    def _places(self, request: GroupRequest) -> list[tuple[int, int]]:
        """Number and first answer column of each branch."""
        lengths = [len(prompt) for prompt in request.prompts]
        starts = branch_starts(len(request.context), lengths, self._decoder.settings.alignment)
        return [(number, start) for number, (_, start) in zip(request.numbers, starts, strict=True)]

    def _row(
        self, group: QuestionGroup, question: Question, place: tuple[int, int], answer: Answer, scores: OptionScores
    ) -> AnswerRow:
        number, start = place
        ended = answer.token_ids[-1] in self._stop_ids  # else a stop text ended it, or the number of tokens
        # a question of a dataset of choices that has no options is answered in free text
        scoring = "text" if self._asking.scoring == "choice" and not question.options else self._asking.scoring
        return AnswerRow(
            question_id=question.id,
            group_id=group.id,
            document=group.document_of(question),
            category=question.category,
            dataset=self._asking.dataset,
            scoring=scoring,
            branch=number,
            method=self._method,
            prompt=self._asking.template.render_prompt(question),
            question=question.text,
            references=question.answers,
            options=question.options,
            correct=question.correct,
            text=answer.text if scoring == "humaneval" else answer.text.strip(),  # code keeps its indentation
            token_ids=answer.token_ids[:-1] if ended else answer.token_ids,
            finish_reason=answer.finish_reason,
            columns=(start, start + len(answer.token_ids) - 1),
            option_scores=scores,
        )
