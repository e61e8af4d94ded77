"""Question groups become answer rows: render, decode, score the options.

Every method reads the same texts and the same token ids; the checkpoint's own prompt template
wraps them.
"""

from collections.abc import Callable, Sequence
from itertools import chain

from tqdm import tqdm

from pmind.decoding.branches import GroupRequest
from pmind.decoding.decoder import Answer, ParallelDecoder
from pmind.decoding.engine import ColumnEvent
from pmind.decoding.options import GenerationOptions
from pmind.errors import DecodingError, ModelError
from pmind.evaluation.rows import AnswerRow
from pmind.methods import METHODS, Method, answer_groups
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup

OptionScores = tuple[float, ...]


def answer_questions(
    decoder: ParallelDecoder,
    method: str,
    groups: Sequence[QuestionGroup],
    *,
    max_new_tokens: int,
    branches: int,
    max_groups: int,
    title: str = "decode",
) -> list[AnswerRow]:
    """Answer every question of GROUPS greedily and score its options, if it has any.

    Args:
        decoder: the model; its checkpoint's prompt template is used, else the default one.
        method: name of the way of answering, which scores options in the same passes.
        groups: questions with their contexts.
        max_new_tokens: most tokens of an answer, the stop token included.
        branches: most questions decoded together.
        max_groups: most groups decoded together, for methods that can.
        title: heads the progress bar.

    Returns:
        One row a question, in the order of GROUPS.

    Raises:
        DecodingError: an unknown method, an empty question, or a group that does not fit the model.
        ModelError: there are options to score, but the tokenizer has no stop token.
    """
    way = _method(method)
    template = PromptTemplate(**decoder.settings.prompt_template)
    requests = [_request(decoder, template, group) for group in groups]
    passes = [way.split(request, branches) for request in requests]
    steps = [1 + bool(question.options) for group in groups for question in group.questions]  # answer, then score
    with tqdm(total=sum(steps), desc=title, unit="question", disable=None) as bar:
        answers = answer_groups(
            decoder,
            way,
            requests,
            GenerationOptions(max_new_tokens=max_new_tokens),
            branches=branches,
            max_groups=max_groups,
            on_event=_count_finished(bar.update),
        )
        scores = []
        for group, split in zip(groups, passes, strict=True):
            scores.append(score_options(decoder, template, group.questions, split))
            bar.update(sum(bool(found) for found in scores[-1]))
    return [row for parts in zip(groups, passes, answers, scores, strict=True) for row in _rows(method, *parts)]


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
        One tuple a question, ``()`` for free text.

    Raises:
        ModelError: the tokenizer has no stop token.
    """
    if not any(question.options for question in questions):
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


def _count_finished(update: Callable[[int], object]) -> Callable[[ColumnEvent], None]:
    def count(event: ColumnEvent) -> None:
        update(sum(token.finish_reason is not None for token in event.tokens))

    return count


def _candidates(decoder: ParallelDecoder, template: PromptTemplate, question: Question) -> list[tuple[int, ...]]:
    stop = decoder.tokenizer.eos_token_id
    if stop is None:
        raise ModelError("the tokenizer has no eos token, which ends every option's text. Use one that has")
    return [(*decoder.encode(template.render_continuation(option)), stop) for option in question.options]


def _rows(
    method: str,
    group: QuestionGroup,
    passes: Sequence[GroupRequest],
    answers: Sequence[Answer],
    scores: Sequence[OptionScores],
) -> list[AnswerRow]:
    numbers = chain.from_iterable(single.numbers for single in passes)
    parts = zip(group.questions, numbers, answers, scores, strict=True)
    return [_row(method, group, *part) for part in parts]


def _row(
    method: str, group: QuestionGroup, question: Question, number: int, answer: Answer, scores: OptionScores
) -> AnswerRow:
    stopped = answer.finish_reason == "stop"  # without stop strings it is a stop token that ends an answer
    return AnswerRow(
        question_id=question.id,
        group_id=group.id,
        document=group.document,
        branch=number,
        method=method,
        question=question.text,
        references=question.answers,
        text=answer.text.strip(),
        token_ids=answer.token_ids[:-1] if stopped else answer.token_ids,
        finish_reason=answer.finish_reason,
        option_scores=scores,
        correct=question.correct,
    )
